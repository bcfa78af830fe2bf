//! Required programs, and the message when one is missing.

use std::process::Command;

use crate::error::StackError;

const JAVA_MIN: u32 = 17;
const NODE_MIN: u32 = 20;

/// Python's version; none when there is no Python.
pub(crate) fn python() -> Option<String> {
    answer("python3", &["--version"])
}

/// A tool, arguments that show it to be there, and the package that has it.
pub(crate) type Tool = (&'static str, &'static str, &'static str);

/// Checks every tool that provisioning and running need, and these.
pub(crate) fn check(more: &[Tool]) -> Result<(), StackError> {
    let java = answer("java", &["-version"]).and_then(|text| first_number(&text, '"'));
    at_least("java", java, JAVA_MIN, "openjdk-17-jre-headless")?;
    let node = answer("node", &["--version"]).and_then(|text| first_number(&text, 'v'));
    at_least("node", node, NODE_MIN, "nodejs")?;
    for (tool, arguments, package) in [
        ("npm", "--version", "npm"),
        ("mvn", "--version", "maven"),
        ("tar", "--version", "tar"),
        ("setpriv", "--version", "util-linux"),
        ("flock", "--version", "util-linux"),
    ]
    .iter()
    .chain(more)
    {
        let arguments: Vec<_> = arguments.split(' ').collect();
        if answer(tool, &arguments).is_none() {
            return Err(StackError::Tool {
                tool,
                needed: "any version".into(),
                package,
            });
        }
    }
    Ok(())
}

fn at_least(
    tool: &'static str,
    found: Option<u32>,
    min: u32,
    package: &'static str,
) -> Result<(), StackError> {
    match found {
        Some(version) if version >= min => Ok(()),
        Some(version) => Err(StackError::Tool {
            tool,
            needed: format!("version {min} or later, found {version}"),
            package,
        }),
        None => Err(StackError::Tool {
            tool,
            needed: format!("version {min} or later"),
            package,
        }),
    }
}

/// The program's output; none when it is missing or fails.
fn answer(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = [output.stdout, output.stderr].concat();
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&text).into_owned())
}

/// The number behind the first `mark`.
fn first_number(text: &str, mark: char) -> Option<u32> {
    let (_, behind) = text.split_once(mark)?;
    let digits: String = behind.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_the_programs_print_them() {
        assert_eq!(
            first_number("openjdk version \"17.0.15\" 2025-04-15", '"'),
            Some(17)
        );
        assert_eq!(first_number("v20.20.2\n", 'v'), Some(20));
        assert_eq!(first_number("nothing", 'v'), None);
    }

    #[test]
    fn an_old_tool_is_refused_with_what_to_install() {
        let text = at_least("java", Some(11), 17, "openjdk-17-jre-headless")
            .unwrap_err()
            .to_string();
        assert!(
            text.contains("found 11") && text.contains("apt-get install openjdk-17-jre-headless"),
            "{text}"
        );
    }
}
