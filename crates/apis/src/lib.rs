//! The control plane of API Gateway: what developers create, and how it becomes a plan.
