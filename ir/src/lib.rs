//! Plain data that the stages of the toolkit hand each other
