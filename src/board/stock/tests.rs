//! Orders that come, fail and are carried out.

use super::*;
use crate::artifacts::{ArtifactError, Uploads};
use crate::package::Blob;
use crate::template::Template;

const NOW: Moment = Moment::from_millis(1_795_000_000_000);

fn order(resource: &str) -> Order {
    let text = format!("Resources: {{ {resource}: {{ Type: 'AWS::SQS::Queue' }} }}");
    let template = Arc::new(Template::parse(&text).expect("a template"));
    let mut package = Package::plain(Arc::clone(&template));
    let blob = Blob::Template(template);
    package.blobs.insert(blob.name(), blob);
    let region = "eu-central-1".parse().expect("a region");
    Order { region, bucket: "test".to_owned(), package: Arc::new(package) }
}

fn target(number: u8) -> Target {
    format!("{number:012}/eu-central-1").parse().expect("a target")
}

fn later(seconds: u64) -> Moment {
    NOW + Duration::from_secs(seconds)
}

/// The one order that is begun then.
fn begun(stock: &mut Stock, at: Moment) -> Begun {
    let mut begun = stock.begin(at, 9);
    assert_eq!(begun.len(), 1, "{begun:#?}");
    begun.remove(0)
}

fn failed(begun: &Begun, error: ArtifactError) -> Uploads {
    Uploads { failures: [(begun.first, error)].into(), ..Uploads::default() }
}

fn missing() -> ArtifactError {
    let region = "eu-central-1".parse().expect("a region");
    ArtifactError::BucketMissing { bucket: "test".to_owned(), region }
}

fn corrupted() -> ArtifactError {
    ArtifactError::Corrupted { bucket: "test".to_owned(), key: "x".to_owned() }
}

fn all_there() -> Uploads {
    Uploads { uploaded: 1, bytes: 7, ..Uploads::default() }
}

#[test]
fn what_many_wait_for_is_begun_once_and_wakes_them_all() {
    let mut stock = Stock::default();
    for number in 1..=3 {
        assert!(!stock.want(order("A"), Some(&target(number)), NOW));
    }
    assert!(matches!(stock.lack(&order("A")), Some(Lack::Uploading { there: 0, all: 1, .. })));
    let begun = begun(&mut stock, NOW);
    assert!(!stock.is_at_rest() && stock.begin(NOW, 9).is_empty());
    let woken = stock.end(&begun.key, &all_there(), NOW);
    assert_eq!(woken, [1, 2, 3].map(target).into());
    assert!(stock.is_at_rest() && stock.lack(&order("A")).is_none());
    assert!(stock.want(order("A"), Some(&target(4)), NOW), "it is there already");
    let bucket = "test".to_owned();
    let bytes = order("A").package.blobs.values().map(Blob::bytes).sum();
    let told = [
        Stocked::Begun { bucket: bucket.clone(), count: 1, bytes },
        Stocked::Ended { bucket, count: 1, bytes: 7 },
    ];
    assert_eq!(stock.news, told);
}

#[test]
fn a_failure_is_told_once_however_often_it_is_tried_and_again_after_it_has_passed() {
    let mut stock = Stock::default();
    stock.want(order("A"), Some(&target(1)), NOW);
    let mut at = NOW;
    let mut fail = |stock: &mut Stock, woken: usize| {
        let begun = begun(stock, at);
        assert_eq!(stock.end(&begun.key, &failed(&begun, missing()), at).len(), woken);
        at = stock.next_due().expect("it is tried again");
        stock.news.iter().filter(|news| matches!(news, Stocked::Failed { .. })).count()
    };
    assert_eq!(fail(&mut stock, 1), 1);
    stock.want(order("A"), Some(&target(1)), NOW);
    assert_eq!(fail(&mut stock, 0), 1, "nothing is new");
    assert!(stock.is_at_rest(), "a person has to mend it");
    assert!(matches!(stock.lack(&order("A")), Some(Lack::Failed { lasts: true, .. })));
    let begun = begun(&mut stock, later(3_600));
    assert_eq!(stock.end(&begun.key, &all_there(), later(3_600)), [target(1)].into());
    assert!(stock.buckets.values().all(|bucket| bucket.told.is_empty()));
}

#[test]
fn what_may_pass_by_itself_is_tried_sooner_and_lasts_from_the_third_time_on() {
    let mut stock = Stock::default();
    stock.want(order("A"), None, NOW);
    let mut at = NOW;
    let tries = [(5, false), (10, false), (20, true), (40, true)];
    for (pause, lasting) in tries {
        let begun = begun(&mut stock, at);
        stock.end(&begun.key, &failed(&begun, corrupted()), at);
        let due = stock.next_due().expect("it is tried again");
        assert_eq!(due.since(at), Duration::from_secs(pause));
        assert_eq!(stock.is_at_rest(), lasting);
        at = due;
    }
}

#[test]
fn a_revision_tries_what_failed_at_once_and_forgets_what_it_does_not_need() {
    let mut stock = Stock::default();
    for resource in ["A", "B"] {
        stock.want(order(resource), Some(&target(1)), NOW);
    }
    for begun in stock.begin(NOW, 9) {
        stock.end(&begun.key, &failed(&begun, missing()), NOW);
    }
    stock.want(order("A"), Some(&target(1)), NOW);
    stock.want(order("B"), Some(&target(2)), NOW);
    let woken = stock.begin_anew(vec![order("B"), order("C")], later(1));
    assert_eq!(woken, [target(1)].into(), "who waited for what is forgotten decides anew");
    assert_eq!(stock.begin(later(1), 9).len(), 2, "B again, and C");
    assert_eq!(stock.entries.len(), 2);
}
