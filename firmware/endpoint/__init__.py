"""The kiosk's screen and the local API (Flask): server-rendered pages on loopback, and read-only records.

On loopback stand the screen and the API together. Three questions are asked of every request: which user of this
machine (peer.py), which page of a browser (guard.py), which address (exposure.py). On a network, where provisioning
turned that on, stands the API alone, over TLS with client certificates (lan.py); it describes itself at
/v1/openapi.json.
"""
