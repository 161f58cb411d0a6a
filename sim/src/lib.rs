//! Executions of a compiled network and their comparison
