"""Instructions that a program can check, by the names of IFEval (Zhou et al. 2023)."""
