"""Finding faces: YuNet and the paper's SSD behind one small interface."""
