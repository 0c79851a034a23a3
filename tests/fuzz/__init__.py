"""What no station would send: the signer's requests, made at random, for as long as one likes."""
