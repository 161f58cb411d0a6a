//! Online training of EM-PF networks
