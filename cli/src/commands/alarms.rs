use std::path::PathBuf;

use clap::{Args, ValueEnum};
use keyspaces::monitoring::{
    Alarm, Dashboard, Table, Topic, cloudformation, put_metric_alarm_input, recommended, terraform,
};

use crate::failure::{Failure, Status};
use crate::{input, output};

const EXAMPLE: &str = "\
Example:
  keyspaces alarms schema.cql --topic arn:aws:sns:us-east-1:111122223333:alerts --format json
  keyspaces alarms schema.cql --format cloudformation > alarms.json
  keyspaces alarms schema.cql --format terraform --dashboard us-east-1 > alarms.tf.json

The command does not connect. Review the documents, and apply them with a tool of your choice.";

/// Print the recommended CloudWatch alarms for the tables in schema files
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Alarms {
    /// Files of CREATE statements; - reads standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// SNS topic to notify
    #[arg(long, value_name = "ARN")]
    topic: Option<String>,
    /// Add a dashboard for each table, in this Region; needs cloudformation or terraform
    #[arg(long, value_name = "REGION")]
    dashboard: Option<String>,
    /// Output format
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    format: AlarmFormat,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum AlarmFormat {
    /// Name and reason of each alarm
    Human,
    /// Input of `aws cloudwatch put-metric-alarm --cli-input-json`, one JSON document for each alarm
    Json,
    /// CloudFormation template in JSON
    Cloudformation,
    /// Terraform configuration in JSON
    Terraform,
}

impl Alarms {
    pub(crate) fn run(self) -> Result<Status, Failure> {
        let topic = self.topic.map(Topic::new).transpose()?;
        if self.dashboard.is_some() && !matches!(self.format, AlarmFormat::Cloudformation | AlarmFormat::Terraform) {
            return Err(Failure::usage("--dashboard needs --format cloudformation or --format terraform"));
        }
        let (mut alarms, mut dashboards): (Vec<Alarm>, Vec<Dashboard>) = (Vec::new(), Vec::new());
        for definition in &input::definitions(&self.files)?.tables {
            let table = Table::from_definition(definition)?;
            for alarm in recommended(&table) {
                alarms.push(match &topic {
                    Some(topic) => alarm.with_alarm_action(topic)?,
                    None => alarm,
                });
            }
            if let Some(region) = &self.dashboard {
                dashboards.push(Dashboard::for_table(&table, region)?);
            }
        }
        match self.format {
            AlarmFormat::Human => {
                for alarm in &alarms {
                    output::print(format_args!("{}\n    {}\n", alarm.name(), alarm.description()))?;
                }
            }
            AlarmFormat::Json => {
                for alarm in &alarms {
                    output::print(format_args!("{}\n", put_metric_alarm_input(alarm).trim_end()))?;
                }
            }
            AlarmFormat::Cloudformation => {
                output::print(format_args!("{}\n", cloudformation(&alarms, &dashboards).trim_end()))?
            }
            AlarmFormat::Terraform => output::print(format_args!("{}\n", terraform(&alarms, &dashboards).trim_end()))?,
        }
        Ok(Status::Success)
    }
}
