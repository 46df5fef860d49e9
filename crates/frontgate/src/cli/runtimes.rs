//! `frontgate runtimes`: which of Lambda's runtimes this host can run, and with what.

use std::io::{self, Write};
use std::process::ExitCode;

use functions::HostRuntime;

/// Prints the table. A closed terminal is no failure.
pub(super) fn run() -> ExitCode {
    match print(&mut io::stdout().lock(), &functions::host_runtimes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => ExitCode::FAILURE,
        _ => ExitCode::SUCCESS,
    }
}

fn print(output: &mut impl Write, runtimes: &[HostRuntime]) -> io::Result<()> {
    let rows: Vec<[String; 4]> = runtimes.iter().map(row).collect();
    let headings = ["RUNTIME", "RUNS", "VERSION", "PROGRAM OR NOTE"].map(str::to_owned);
    let mut widths = [0; 4];
    for cells in rows.iter().chain([&headings]) {
        for (width, cell) in widths.iter_mut().zip(cells) {
            *width = cell.len().max(*width);
        }
    }
    for cells in [&headings].into_iter().chain(&rows) {
        let line: Vec<String> = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        writeln!(output, "{}", line.join("  ").trim_end())?;
    }
    Ok(())
}

fn row(runtime: &HostRuntime) -> [String; 4] {
    let program = runtime.program.as_ref().map(|program| program.display().to_string());
    let told: Vec<String> =
        program.into_iter().chain(Some(runtime.note.clone()).filter(|note| !note.is_empty())).collect();
    let runs = if runtime.runs { "yes" } else { "no" };
    [runtime.runtime.clone(), runs.to_owned(), runtime.version.clone().unwrap_or_default(), told.join(", ")]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_below_their_headings() {
        let python = HostRuntime {
            runtime: "python3.13".to_owned(),
            program: Some("/usr/bin/python3.13".into()),
            version: Some("3.13.1".to_owned()),
            runs: true,
            note: String::new(),
        };
        let node = HostRuntime {
            runtime: "nodejs22.x".to_owned(),
            program: None,
            version: None,
            runs: false,
            note: "not on this host".to_owned(),
        };
        let mut output = Vec::new();
        print(&mut output, &[python, node]).unwrap();
        let expected = "RUNTIME     RUNS  VERSION  PROGRAM OR NOTE\n\
                        python3.13  yes   3.13.1   /usr/bin/python3.13\n\
                        nodejs22.x  no             not on this host\n";
        assert_eq!(String::from_utf8(output).unwrap(), expected);
    }
}
