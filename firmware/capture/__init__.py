"""From a picture to a Page: safe decoding, page recognition, registration, cells."""
