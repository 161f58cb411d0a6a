//! What an integer network means: slow, obvious, exact
