//! Generated from AWS's public model of the service; see codegen/.
