//! Lowers a trained network to an integer network, a schedule and ROM images
