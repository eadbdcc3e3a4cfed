"""Questions over documents: HotpotQA and StrategyQA."""
