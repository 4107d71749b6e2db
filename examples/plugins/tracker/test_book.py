"""The tracker keeps what every tracker keeps."""

import orch_book
import pytest

from orch.testing.trackers import TrackerContract


class TestBook(TrackerContract):
    @pytest.fixture
    def tracker(self, tmp_path):
        self.directory = tmp_path
        return self.reopened(None)

    def reopened(self, tracker):
        return orch_book.BookTracker(self.directory, "book")

    def delete(self, tracker, identifier):
        tracker.delete(identifier)
