"""What a run leaves: checkpoints, log, figures and scores.

The modules are imported by name, because each pays for libraries of its own (Orbax, TensorBoard,
matplotlib).
"""
