"""The composition families: each module draws one kind of picture from a palette and chance."""
