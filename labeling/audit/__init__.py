"""What was done by whom: written with the act, linked into a chain, verified, shown. Entries hold ids and no texts.

Left out: addresses of visitors, which people can ask to have forgotten and nothing here ever is; the list of sessions
has those. Reading is written down where something leaves the site (exports, tokens), and submissions are not written:
they are append only themselves.
"""
