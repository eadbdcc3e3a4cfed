"""Question answering over documents: HotpotQA and StrategyQA."""
