"""The WSGI door. What a named reverse proxy says of who asks, and by HTTPS or not, is taken in here."""

import gc
import os

from django.core.wsgi import get_wsgi_application

from config.proxies import believing

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
application = believing(get_wsgi_application())

# What is loaded by now stays, and a request leaves little behind that only the collector frees: it need not look
# through everything several times for each page.
gc.collect()
gc.freeze()
gc.set_threshold(20_000, 20, 20)
