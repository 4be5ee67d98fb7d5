"""Makes the bundled models: text in, GGUF and model card out; needs the extra `train`.

    python -m llmrec.models.training.encoder all --corpus FOLDER --teacher FOLDER_OR_WHEEL --out FOLDER

Nothing of the app imports this package. It runs on one GPU when PyTorch sees one and on the processor otherwise,
keeps a checkpoint a minute, and goes on from it.
"""
