//! Whole-toolkit regression: cases as files, run on every engine
