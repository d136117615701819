"""Collected files under names that carry a hash of what is in them, and so kept by browsers for good."""

from whitenoise.storage import CompressedManifestStaticFilesStorage


class HashedFiles(CompressedManifestStaticFilesStorage):
    """Modules import each other under those names too: else each is fetched twice, and kept for a minute only."""

    support_js_module_import_aggregation = True
