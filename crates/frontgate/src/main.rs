//! Frontgate: an Amazon API Gateway that one can own.

mod causes;
mod cli;
mod config;
mod shutdown;
mod wiring;

use std::process::ExitCode;

// Many small allocations of short life on every thread: glibc's allocator has the longer tail there.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // This program is also the one that starts functions, when it starts itself as such.
    functions::run_if_asked();
    // The allocator asks for huge pages, most of which stay empty: 15 MB for no measurable gain. Where the kernel has none
    // to refuse, nothing is lost.
    let _ = rustix::thread::disable_transparent_huge_pages(true);
    let environment = std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value))).collect();
    cli::run(std::env::args_os(), &environment)
}
