"""From any model's text to native, reviewed, undoable changes.

    text ──formats──▶ FileEdit ──apply.resolve (matching)──▶ FileChange ──review.start (hunks)──▶ Review
         ──apply.Reviews.decide──▶ journal (before-image on disk) ──▶ the editor, or the disk ──▶ Outcome

- `formats`: ``parse(text, default_path=None) -> Parsed``; ``Parser().feed(chunk) … .finish()`` for streams.
- `matching`: where the quoted lines stand in the file, by a ladder of named rungs.
- `apply`: ``resolve(edits, workspace.read, …) -> Resolution`` (changes and rejections, no writing), and
  ``Reviews``, which decides, applies, undoes and recovers.
- `hunks`: differences, three-way merge, and how offsets move under edits.
- `review`: the pure state of a review; every operation returns a new one.
- `journal`: before-images, durable before anything is touched.
- `files`: bytes ↔ text without loss, and which paths may be touched at all.
- `prompting`: which format to ask of a model, in which words.

Offsets are code points; lines count from 0 unless a docstring says otherwise. Texts hold line endings as
the file has them. Model text is untrusted: nothing in it is used as a pattern, a command or a path before
it was checked, and nothing is applied that was not found where the model said it is.
"""
