//! Having the resources of a stack compared with how its template made them. This changes nothing in
//! an account.

use aws_sdk_cloudformation::types::StackResourceDriftStatus;

use crate::aws::TargetApi;
use crate::aws::error::AwsError;
use crate::aws::pace::Api;
use crate::aws::stacks::{MAX_RESOURCE_PAGES, Pages, list_of};
use crate::aws::words;
use crate::ids::StackId;
use crate::observed::{DetectionSeen, ResourceDrift};

impl TargetApi {
    /// Starts to look into a stack, not into those nested in it, and returns the id to ask with.
    pub async fn detect_drift(&self, stack: &StackId) -> Result<String, AwsError> {
        let output = self
            .call(Api::DetectStackDrift, |client| {
                client.detect_stack_drift().stack_name(stack.as_str()).send()
            })
            .await?;
        let id = output.stack_drift_detection_id.filter(|id| !id.is_empty());
        id.ok_or_else(|| AwsError::malformed(Api::DetectStackDrift, "no StackDriftDetectionId"))
    }

    /// How far that has come.
    pub async fn drift_detection(&self, id: &str) -> Result<DetectionSeen, AwsError> {
        let result = self
            .call(Api::DescribeStackDriftDetectionStatus, |client| {
                client.describe_stack_drift_detection_status().stack_drift_detection_id(id).send()
            })
            .await;
        match result {
            Ok(output) => words::detection(&output),
            // The id is one that AWS gave.
            Err(error) if error.code() == "ValidationError" => Ok(DetectionSeen::Gone),
            Err(error) => Err(error),
        }
    }

    /// The resources of a stack that were not as the template made them when it was looked into last,
    /// from all pages.
    pub async fn drifted_resources(&self, stack: &StackId) -> Result<Vec<ResourceDrift>, AwsError> {
        let api = Api::DescribeStackResourceDrifts;
        let mut pages = Pages::new(api, MAX_RESOURCE_PAGES);
        let mut drifted = Vec::new();
        while let Some(token) = pages.upcoming() {
            let output = self
                .call(api, |client| {
                    let request = client.describe_stack_resource_drifts();
                    request
                        .stack_name(stack.as_str())
                        .stack_resource_drift_status_filters(StackResourceDriftStatus::Modified)
                        .stack_resource_drift_status_filters(StackResourceDriftStatus::Deleted)
                        .set_next_token(token.clone())
                        .send()
                })
                .await?;
            for drift in list_of(api, "StackResourceDrifts", output.stack_resource_drifts)? {
                drifted.push(words::resource_drift(&drift)?);
            }
            pages.turn(output.next_token)?;
        }
        Ok(drifted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::fake::{Asked, Reply, STACK, Server, ok, refusal};
    use crate::observed::{Direction, DriftStatus};

    fn answering(
        action: &'static str,
        reply: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
    ) -> Server {
        Server::of(move |asked| if asked.action == action { reply(asked) } else { Reply::Usual })
    }

    async fn seen(body: &'static str) -> Result<DetectionSeen, AwsError> {
        let action = "DescribeStackDriftDetectionStatus";
        let body = format!(
            "<StackId>{STACK}</StackId><StackDriftDetectionId>d</StackDriftDetectionId>\
             <Timestamp>2026-11-01T10:00:00Z</Timestamp>{body}"
        );
        let server = answering(action, move |_| ok(action, &body));
        server.api().drift_detection("d").await
    }

    #[tokio::test(start_paused = true)]
    async fn what_aws_could_not_get_is_no_end_in_sync() {
        let complete = seen(
            "<DetectionStatus>DETECTION_COMPLETE</DetectionStatus>\
             <StackDriftStatus>DRIFTED</StackDriftStatus>\
             <DriftedStackResourceCount>2</DriftedStackResourceCount>",
        );
        assert_eq!(complete.await.expect("told"), DetectionSeen::Complete { drifted: 2 });
        let running = seen("<DetectionStatus>DETECTION_IN_PROGRESS</DetectionStatus>");
        assert_eq!(running.await.expect("told"), DetectionSeen::Running);
        let failed = seen(
            "<DetectionStatus>DETECTION_FAILED</DetectionStatus>\
             <DetectionStatusReason>Rate exceeded</DetectionStatusReason>",
        );
        assert_eq!(failed.await.expect("told"), DetectionSeen::Failed("Rate exceeded".into()));
        let unknown = seen(
            "<DetectionStatus>DETECTION_COMPLETE</DetectionStatus>\
             <StackDriftStatus>UNKNOWN</StackDriftStatus>",
        );
        assert!(matches!(unknown.await.expect("told"), DetectionSeen::Failed(_)));
        let strange = seen("<DetectionStatus>DETECTION_PAUSED</DetectionStatus>");
        assert!(matches!(strange.await.expect("told"), DetectionSeen::Failed(_)));
        assert!(matches!(seen("").await.expect("told"), DetectionSeen::Failed(_)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_drifted_resource_is_told_with_all_its_differences() {
        let member = "<member><StackId>s</StackId><LogicalResourceId>Q</LogicalResourceId>\
            <PhysicalResourceId>q-1</PhysicalResourceId><ResourceType>AWS::SQS::Queue</ResourceType>\
            <ExpectedProperties>{\"DelaySeconds\": 1}</ExpectedProperties>\
            <ActualProperties>{\"DelaySeconds\": 2}</ActualProperties><PropertyDifferences><member>\
            <PropertyPath>/DelaySeconds</PropertyPath><ExpectedValue>1</ExpectedValue>\
            <ActualValue>2</ActualValue><DifferenceType>NOT_EQUAL</DifferenceType></member>\
            </PropertyDifferences><StackResourceDriftStatus>MODIFIED</StackResourceDriftStatus>\
            <Timestamp>2026-11-01T10:00:00Z</Timestamp></member>";
        let gone = "<member><StackId>s</StackId><LogicalResourceId>R</LogicalResourceId>\
            <ResourceType>AWS::IAM::Role</ResourceType>\
            <StackResourceDriftStatus>DELETED</StackResourceDriftStatus>\
            <Timestamp>2026-11-01T10:00:00Z</Timestamp></member>";
        let page = |members: &str, next: &str| {
            let list = format!("<StackResourceDrifts>{members}</StackResourceDrifts>{next}");
            ok("DescribeStackResourceDrifts", &list)
        };
        let server =
            answering("DescribeStackResourceDrifts", move |asked| match asked.field("NextToken") {
                "" => page(member, "<NextToken>n</NextToken>"),
                _ => page(gone, ""),
            });
        let found = server.api().drifted_resources(&StackId::of(STACK)).await.expect("told");
        assert_eq!(found[0].expected["DelaySeconds"], 1);
        let difference = &found[0].differences[0];
        assert_eq!(
            (difference.path.as_str(), difference.direction),
            ("/DelaySeconds", Direction::Changed)
        );
        assert_eq!((difference.expected.as_str(), difference.actual.as_str()), ("1", "2"));
        assert_eq!((found[1].logical_id.as_str(), &found[1].status), ("R", &DriftStatus::Deleted));
        let asked = &server.asked("DescribeStackResourceDrifts")[0];
        assert_eq!(asked.field("StackResourceDriftStatusFilters.member.2"), "DELETED");
    }

    #[tokio::test(start_paused = true)]
    async fn a_detection_that_aws_forgot_is_gone() {
        let text = "Drift detection with id d does not exist";
        let server = answering("DescribeStackDriftDetectionStatus", move |_| {
            refusal(400, "ValidationError", text)
        });
        assert_eq!(server.api().drift_detection("d").await.expect("told"), DetectionSeen::Gone);
    }
}
