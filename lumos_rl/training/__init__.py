"""Training with TRL and PEFT: a small model from scratch (`scratch`), SFT (`sft`), DPO (`dpo`), and their `trainer`."""
