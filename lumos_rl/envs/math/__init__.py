"""Math word problems: GSM8K, SVAMP and MAWPS."""
