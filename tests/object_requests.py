"""Objects whose requests are done while their answers are lost."""

from __future__ import annotations

from music_catalog.errors import StorageError
from music_catalog.objects.blobs import Blobs


class LosesAnswers(Blobs):
    """Objects of a store; the next `lost` writes of a path that has `part` are done, and raise StorageError."""

    lost = 0
    part = ""

    def create(self, path, data):
        """See `Blobs.create`."""
        return self._answered(path, super().create(path, data))

    def swap(self, path, data, seen):
        """See `Blobs.swap`."""
        return self._answered(path, super().swap(path, data, seen))

    def _answered(self, path, mark):
        if self.lost and mark and self.part in path:
            self.lost -= 1
            raise StorageError(f"{path} cannot be written: the connection was closed")
        return mark
