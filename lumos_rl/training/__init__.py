"""Thin use of TRL and PEFT: a small model from scratch (`scratch`), supervised fine-tuning (`sft`), DPO (`dpo`)."""
