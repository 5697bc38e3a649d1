"""Networks: backbones, the AU head, and trained models on disk."""
