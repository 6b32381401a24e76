use std::fmt;

use super::period::refused;
use crate::Error;

/// An SNS topic that alarms notify, by its ARN.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Topic {
    arn: String,
}

impl Topic {
    /// Creates a topic from its ARN.
    ///
    /// # Errors
    ///
    /// `Configuration`: `arn` is not the ARN of an SNS topic. Other targets of CloudWatch alarms are not supported.
    ///
    /// ```
    /// use keyspaces::monitoring::Topic;
    ///
    /// assert!(Topic::new("arn:aws:sns:us-east-1:111122223333:alerts").is_ok());
    /// assert_eq!(
    ///     Topic::new("arn:aws:sqs:us-east-1:111122223333:alerts").unwrap_err().to_string(),
    ///     "using \"arn:aws:sqs:us-east-1:111122223333:alerts\" as an SNS topic failed: it is an ARN of sqs. The ARN of \
    ///      a topic looks like arn:aws:sns:us-east-1:111122223333:alerts"
    /// );
    /// ```
    pub fn new(arn: impl Into<String>) -> Result<Self, Error> {
        let arn = arn.into();
        match fault(&arn) {
            None => Ok(Self { arn }),
            Some(fault) => Err(refused(
                "an SNS topic",
                &arn,
                fault,
                "The ARN of a topic looks like arn:aws:sns:us-east-1:111122223333:alerts",
            )),
        }
    }

    /// The ARN.
    #[must_use]
    pub fn arn(&self) -> &str {
        &self.arn
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.arn)
    }
}

fn fault(arn: &str) -> Option<String> {
    let parts: Vec<&str> = arn.split(':').collect();
    let [scheme, partition, service, region, account, name] = parts[..] else {
        return Some(format!("the ARN of a topic has six parts between colons, and this has {}", parts.len()));
    };
    let is_word = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    if scheme != "arn" || !partition.starts_with("aws") || !is_word(partition) {
        return Some("it does not begin with arn:aws".to_owned());
    }
    if service != "sns" {
        let service: String = service.chars().take(40).collect();
        return Some(format!("it is an ARN of {service}"));
    }
    if !is_word(region) || account.len() != 12 || !account.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some("its Region or its account of twelve digits is missing".to_owned());
    }
    if !is_word(name) || name.len() > 256 {
        return Some("its name has characters other than letters, digits, hyphens and underscores".to_owned());
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arn_that_is_not_an_sns_topic_is_refused_with_the_reason() {
        for arn in ["arn:aws:sns:us-east-1:111122223333:alerts", "arn:aws-cn:sns:cn-north-1:111122223333:a_b.fifo"] {
            assert_eq!(Topic::new(arn).unwrap().arn(), arn);
        }
        for (arn, fault) in [
            ("", "the ARN of a topic has six parts between colons, and this has 1"),
            (
                "arn:aws:sns:us-east-1:111122223333:a:b",
                "the ARN of a topic has six parts between colons, and this has 7",
            ),
            ("urn:aws:sns:us-east-1:111122223333:a", "it does not begin with arn:aws"),
            ("arn:aws:lambda:us-east-1:111122223333:a", "it is an ARN of lambda"),
            ("arn:aws:sns:us-east-1:1111:a", "its Region or its account of twelve digits is missing"),
            ("arn:aws:sns::111122223333:a", "its Region or its account of twelve digits is missing"),
            (
                "arn:aws:sns:us-east-1:111122223333:a b",
                "its name has characters other than letters, digits, hyphens and underscores",
            ),
        ] {
            assert_eq!(
                Topic::new(arn).unwrap_err().to_string(),
                format!(
                    "using {arn:?} as an SNS topic failed: {fault}. The ARN of a topic looks like \
                     arn:aws:sns:us-east-1:111122223333:alerts"
                )
            );
        }
    }
}
