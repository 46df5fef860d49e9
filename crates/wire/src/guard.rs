//! Keeps web pages from driving the control plane.
