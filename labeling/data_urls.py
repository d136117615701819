"""Addresses of the console's pages about files that go out and come in."""

from django.urls import path

from labeling.views import data, exports, imports

DATA = "projects/<slug:slug>/data/"

urlpatterns = [
    path(DATA, data.data, name="data"),
    path(f"{DATA}licence/", data.set_licence, name="set_licence"),
    path(f"{DATA}export/", exports.new_export, name="new_export"),
    path(f"{DATA}export/file", exports.download, name="download_records"),
    path(f"{DATA}exports/<uuid:uuid>/file", exports.export_file, name="export_file"),
    path(f"{DATA}exports/<uuid:uuid>/datasheet.md", exports.export_datasheet, name="export_datasheet"),
    path(f"{DATA}import/", imports.new_import, name="new_import"),
    path(f"{DATA}imports/<uuid:uuid>/", imports.import_page, name="import"),
]
