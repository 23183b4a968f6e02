"""Questions about a source that only some roles may read: passages, images, evidence.

Rule of this room: nothing is downloaded; a file that a user names is checked before it is believed."""
