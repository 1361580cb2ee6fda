"""The vault's schema, step by step. A step that was shipped is never changed again."""
