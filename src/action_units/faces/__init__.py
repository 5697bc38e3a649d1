"""From pixels to crops: safe decoding, detection, cropping and the packed face store."""
