//! Keys from code: create, list, import, replicate, grant and retire them, and load many signers.
