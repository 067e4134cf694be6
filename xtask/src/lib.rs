//! Builds the BPF objects.
