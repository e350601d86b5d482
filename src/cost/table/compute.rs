//! Machines, containers and functions that are kept running, with their disks.

use crate::cost::sheet::{Said, Sheet};
use crate::cost::table::{Classes, Price, Row, class, hourly, monthly, one};
use crate::cost::tally::Tally;
use crate::fleet::Quantity;

pub(super) const INSTANCE: &str = "AWS::EC2::Instance";
pub(super) const VOLUME: &str = "AWS::EC2::Volume";
pub(super) const ADDRESS: &str = "AWS::EC2::EIP";
const SERVICE: &str = "AWS::ECS::Service";
const FUNCTION: &str = "AWS::Lambda::Alias";

const EC2: &str = "https://aws.amazon.com/ec2/pricing/on-demand/";
const EBS: &str = "https://aws.amazon.com/ebs/pricing/";
const EKS: &str = "https://aws.amazon.com/eks/pricing/";
const FARGATE: &str = "https://aws.amazon.com/fargate/pricing/";
const LAMBDA: &str = "https://aws.amazon.com/lambda/pricing/";
const APP_RUNNER: &str = "https://aws.amazon.com/apprunner/pricing/";
const SAGEMAKER: &str = "https://aws.amazon.com/sagemaker/ai/pricing/";

/// Resources without a charge that say what the machines, tasks and functions of others are like.
pub(in crate::cost) const DESCRIBING: &[&str] = &[
    "AWS::AutoScaling::LaunchConfiguration",
    "AWS::EC2::LaunchTemplate",
    "AWS::ECS::TaskDefinition",
    "AWS::Lambda::Function",
    "AWS::SageMaker::EndpointConfig",
];

/// IOPS and megabytes a second that a gp3 volume has without charge.
const FREE_IOPS: &str = "3000";
const FREE_THROUGHPUT: &str = "125";

pub(super) const ROWS: &[Row] = &[
    // Linux, on demand. The disk of an image counts where the template names it.
    Row {
        kind: INSTANCE,
        source: EC2,
        prices: &[],
        classes: Some(Classes {
            prices: &[
                class("t2.nano", "0.0058"),
                class("t2.micro", "0.0116"),
                class("t2.small", "0.023"),
                class("t2.medium", "0.0464"),
                class("t2.large", "0.0928"),
                class("t3.nano", "0.0052"),
                class("t3.micro", "0.0104"),
                class("t3.small", "0.0208"),
                class("t3.medium", "0.0416"),
                class("t3a.nano", "0.0047"),
                class("t3a.micro", "0.0094"),
                class("t3a.small", "0.0188"),
                class("t3a.medium", "0.0376"),
                class("t4g.nano", "0.0042"),
                class("t4g.micro", "0.0084"),
                class("t4g.small", "0.0168"),
                class("t4g.medium", "0.0336"),
                class("m6g.medium", "0.0385"),
                class("m7g.medium", "0.0408"),
                class("c6g.medium", "0.034"),
            ],
            families: &[
                class("t3", "0.0832"),
                class("t3a", "0.0752"),
                class("t4g", "0.0672"),
                class("m5", "0.096"),
                class("m5a", "0.086"),
                class("m6a", "0.0864"),
                class("m6g", "0.077"),
                class("m6i", "0.096"),
                class("m7a", "0.11592"),
                class("m7g", "0.0816"),
                class("m7i", "0.1008"),
                class("m8g", "0.08976"),
                class("c5", "0.085"),
                class("c6a", "0.0765"),
                class("c6g", "0.068"),
                class("c6i", "0.085"),
                class("c7g", "0.0725"),
                class("c7i", "0.08925"),
                class("c8g", "0.07976"),
                class("r5", "0.126"),
                class("r6g", "0.1008"),
                class("r6i", "0.126"),
                class("r7g", "0.1071"),
                class("r7i", "0.1323"),
                class("r8g", "0.11782"),
            ],
            one: "1 {} instance",
            many: "{} instances",
        }),
        count: instance,
    },
    Row::plain("AWS::AutoScaling::AutoScalingGroup", EC2, &[], group),
    Row::plain(VOLUME, EBS, DISKS, volume),
    Row::plain(
        "AWS::EKS::Cluster",
        EKS,
        &[hourly("", "0.10", "an EKS cluster", "EKS clusters")],
        one,
    ),
    Row::plain("AWS::EKS::Nodegroup", EC2, &[], nodes),
    // Linux. On machines of one's own a service costs nothing beside them.
    Row::plain(
        SERVICE,
        FARGATE,
        &[
            hourly("vCPU", "0.04048", "1 vCPU on Fargate", "vCPU on Fargate"),
            hourly("GB", "0.004445", "1 GB of memory on Fargate", "GB of memory on Fargate"),
            hourly("arm64 vCPU", "0.03238", "1 arm64 vCPU on Fargate", "arm64 vCPU on Fargate"),
            hourly(
                "arm64 GB",
                "0.00356",
                "1 GB of arm64 memory on Fargate",
                "GB of arm64 memory on Fargate",
            ),
        ],
        tasks,
    ),
    // 0.0000041667 USD for a second of a GB, on arm64 0.0000033334.
    Row::plain(
        FUNCTION,
        LAMBDA,
        &[
            hourly("GB", "0.015", "1 GB of provisioned concurrency", CONCURRENCY),
            hourly("arm64 GB", "0.012", "1 GB of arm64 provisioned concurrency", ARM_CONCURRENCY),
        ],
        |sheet, tally| provisioned(sheet, sheet.resource(&["FunctionName"]).as_ref(), tally),
    ),
    Row::plain("AWS::Lambda::Version", LAMBDA, &[], |sheet, tally| {
        provisioned(sheet, sheet.resource(&["FunctionName"]).as_ref(), tally);
    }),
    Row::plain("AWS::Serverless::Function", LAMBDA, &[], |sheet, tally| {
        provisioned(sheet, Some(sheet), tally);
    }),
    Row::plain(
        "AWS::AppRunner::Service",
        APP_RUNNER,
        &[hourly("GB", "0.007", "1 GB of an App Runner instance", "GB of App Runner instances")],
        app,
    ),
    Row {
        kind: "AWS::SageMaker::Endpoint",
        source: SAGEMAKER,
        prices: &[],
        classes: Some(Classes {
            prices: &[
                class("ml.t2.medium", "0.056"),
                class("ml.m5.large", "0.115"),
                class("ml.m5.xlarge", "0.23"),
                class("ml.c5.large", "0.102"),
                class("ml.c5.xlarge", "0.204"),
            ],
            families: &[],
            one: "1 {} instance",
            many: "{} instances",
        }),
        count: endpoint,
    },
];

const CONCURRENCY: &str = "GB of provisioned concurrency";
const ARM_CONCURRENCY: &str = "GB of arm64 provisioned concurrency";

/// Storage is paid whether it is used or not.
const DISKS: &[Price] = &[
    monthly("gp2", "0.10", "1 GB of gp2 disk", "GB of gp2 disk"),
    monthly("gp3", "0.08", "1 GB of gp3 disk", "GB of gp3 disk"),
    monthly("gp3 IOPS", "0.005", "1 further IOPS of gp3", "further IOPS of gp3"),
    monthly("gp3 MB/s", "0.04", "1 further MB/s of gp3", "further MB/s of gp3"),
    monthly("io1", "0.125", "1 GB of io1 disk", "GB of io1 disk"),
    monthly("io1 IOPS", "0.065", "1 IOPS of io1", "IOPS of io1"),
    monthly("io2", "0.125", "1 GB of io2 disk", "GB of io2 disk"),
    monthly("io2 IOPS", "0.065", "1 IOPS of io2", "IOPS of io2"),
    monthly("st1", "0.045", "1 GB of st1 disk", "GB of st1 disk"),
    monthly("sc1", "0.015", "1 GB of sc1 disk", "GB of sc1 disk"),
    monthly("standard", "0.05", "1 GB of magnetic disk", "GB of magnetic disk"),
];

fn instance(sheet: &Sheet<'_>, tally: &mut Tally) {
    machines(sheet, (Quantity::ONE, false), tally);
}

/// So many machines as a map with `InstanceType` describes, or the launch template that it names.
fn machines(sheet: &Sheet<'_>, count: (Quantity, bool), tally: &mut Tally) {
    let data = launch_data(sheet);
    let from_template = || match &data {
        Some(data) => data.text(&["InstanceType"]),
        None => Said::Nothing,
    };
    tally.class_of(INSTANCE, "", sheet.text(&["InstanceType"]).or_else(from_template), count);
    let described = data.as_ref().into_iter().chain([sheet]);
    for sheet in described {
        disks(sheet, count, tally);
        addresses(sheet, count, tally);
    }
}

/// What the launch template or configuration that a map names says of its machines.
fn launch_data<'a>(sheet: &Sheet<'a>) -> Option<Sheet<'a>> {
    let paths: [&[&str]; 3] = [
        &["LaunchTemplate", "LaunchTemplateId"],
        &["LaunchTemplate", "LaunchTemplateName"],
        &["LaunchTemplate", "Id"],
    ];
    let template = paths.iter().find_map(|path| sheet.resource(path));
    if let Some(template) = template {
        return match template.below(&["LaunchTemplateData"]) {
            Said::This(data) => Some(data),
            Said::Nothing | Said::Unknown => None,
        };
    }
    sheet.resource(&["LaunchConfigurationName"])
}

fn disks(sheet: &Sheet<'_>, machines: (Quantity, bool), tally: &mut Tally) {
    let Said::This(devices) = sheet.items(&["BlockDeviceMappings"]) else { return };
    for device in devices {
        if let Said::This(disk) = device.below(&["Ebs"])
            && disk.has(&["VolumeSize"])
        {
            disk_of(&disk, "VolumeSize", machines, tally);
        }
    }
}

/// A public address for each machine that asks for one.
fn addresses(sheet: &Sheet<'_>, machines: (Quantity, bool), tally: &mut Tally) {
    let Said::This(interfaces) = sheet.items(&["NetworkInterfaces"]) else { return };
    let asks =
        |interface: &Sheet<'_>| interface.flag(&["AssociatePublicIpAddress"]) == Said::This(true);
    if interfaces.iter().any(asks) {
        tally.add_of(ADDRESS, "", machines);
    }
}

fn group(sheet: &Sheet<'_>, tally: &mut Tally) {
    let wanted = sheet.number(&["DesiredCapacity"]).or_else(|| sheet.number(&["MinSize"]));
    let count = wanted.at_least(Quantity::ZERO, Quantity::ZERO);
    if let Said::This(mixed) = sheet.below(&["MixedInstancesPolicy", "LaunchTemplate"]) {
        // Which of several types AWS takes, and whether from the spot market, is its choice.
        let data = mixed.resource(&["LaunchTemplateSpecification", "LaunchTemplateId"]);
        match data.map(|template| template.below(&["LaunchTemplateData"])) {
            Some(Said::This(data)) if !mixed.has(&["Overrides"]) => machines(&data, count, tally),
            Some(_) | None if count == (Quantity::ZERO, false) => {}
            Some(_) | None => tally.unknown(""),
        }
        return;
    }
    machines(sheet, count, tally);
}

fn nodes(sheet: &Sheet<'_>, tally: &mut Tally) {
    let wanted = sheet.number(&["ScalingConfig", "DesiredSize"]);
    let wanted = wanted.or_else(|| sheet.number(&["ScalingConfig", "MinSize"]));
    let count = wanted.at_least(Quantity::whole(2), Quantity::ONE);
    if sheet.text(&["CapacityType"]).or("ON_DEMAND") != Said::This("ON_DEMAND") {
        return tally.unknown("");
    }
    if let Some(data) = launch_data(sheet)
        && data.has(&["InstanceType"])
    {
        return tally.class_of(INSTANCE, "", data.text(&["InstanceType"]), count);
    }
    let class = match sheet.items(&["InstanceTypes"]) {
        Said::This(_) => sheet.first_text(&["InstanceTypes"]),
        Said::Nothing => Said::This("t3.medium"),
        Said::Unknown => Said::Unknown,
    };
    tally.class_of(INSTANCE, "", class, count);
}

fn volume(sheet: &Sheet<'_>, tally: &mut Tally) {
    disk_of(sheet, "Size", (Quantity::ONE, false), tally);
}

/// The disk that a map describes, once for each machine.
fn disk_of(sheet: &Sheet<'_>, size: &str, machines: (Quantity, bool), tally: &mut Tally) {
    let kind = match sheet.text(&["VolumeType"]).or("gp2") {
        Said::This(kind) if DISKS.iter().any(|price| price.variant == kind) => kind,
        Said::This(_) | Said::Nothing | Said::Unknown => return tally.unknown("disk"),
    };
    // A volume that is made of a snapshot has its size unless it says another.
    let size = if sheet.has(&[size]) { sheet.number(&[size]) } else { Said::Unknown };
    let mut add = |variant: &str, said: Said<Quantity>, free: &str| {
        let (quantity, at_least) = said.at_least(Quantity::ZERO, Quantity::ZERO);
        let free = Quantity::parse(free).unwrap_or_default();
        let charged = quantity.max(free).minus(free).times(machines.0);
        tally.add_of(VOLUME, variant, (charged, at_least || machines.1));
    };
    add(kind, size, "0");
    let (iops, throughput) = (sheet.number(&["Iops"]), sheet.number(&["Throughput"]));
    match kind {
        "gp3" => {
            add("gp3 IOPS", iops, FREE_IOPS);
            add("gp3 MB/s", throughput, FREE_THROUGHPUT);
        }
        "io1" => add("io1 IOPS", iops, "0"),
        "io2" => add("io2 IOPS", iops, "0"),
        _ => {}
    }
}

fn tasks(sheet: &Sheet<'_>, tally: &mut Tally) {
    let fargate = match sheet.text(&["LaunchType"]) {
        Said::This(launch) => launch == "FARGATE",
        Said::Nothing => match sheet.items(&["CapacityProviderStrategy"]) {
            Said::This(providers) => {
                providers.iter().any(|it| it.text(&["CapacityProvider"]) == Said::This("FARGATE"))
            }
            Said::Nothing => false,
            Said::Unknown => return tally.unknown(""),
        },
        Said::Unknown => return tally.unknown(""),
    };
    if !fargate {
        return;
    }
    let count = sheet.number(&["DesiredCount"]).at_least(Quantity::ONE, Quantity::ZERO);
    if count.0 == Quantity::ZERO {
        if count.1 {
            tally.unknown("");
        }
        return;
    }
    let Some(task) = sheet.resource(&["TaskDefinition"]) else { return tally.unknown("") };
    let architecture = task.text(&["RuntimePlatform", "CpuArchitecture"]).or("X86_64");
    let prefix = if architecture == Said::This("ARM64") { "arm64 " } else { "" };
    for (variant, size) in [("vCPU", task.number(&["Cpu"])), ("GB", task.number(&["Memory"]))] {
        // Fargate takes no less than a quarter of a vCPU and half a GB.
        let least = Quantity::whole(if variant == "vCPU" { 256 } else { 512 });
        let (size, at_least) = match size {
            Said::This(size) => (size, false),
            Said::Nothing | Said::Unknown => (least, true),
        };
        let quantity = size.in_parts(1_024).times(count.0);
        tally.add_of(SERVICE, &format!("{prefix}{variant}"), (quantity, at_least || count.1));
    }
    let address = ["NetworkConfiguration", "AwsvpcConfiguration", "AssignPublicIp"];
    if sheet.text(&address) == Said::This("ENABLED") {
        tally.add_of(ADDRESS, "", count);
    }
}

/// Provisioned concurrency: instances times the memory of their function.
fn provisioned(sheet: &Sheet<'_>, function: Option<&Sheet<'_>>, tally: &mut Tally) {
    let path = ["ProvisionedConcurrencyConfig", "ProvisionedConcurrentExecutions"];
    let (instances, at_least) = match sheet.number(&path) {
        Said::Nothing => return,
        said @ (Said::This(_) | Said::Unknown) => said.at_least(Quantity::ZERO, Quantity::ONE),
    };
    let least = Quantity::whole(128);
    let memory = function.map_or(Said::Unknown, |function| function.number(&["MemorySize"]));
    let (memory, may_be_more) = memory.at_least(least, least);
    let arm = function
        .is_some_and(|function| function.first_text(&["Architectures"]) == Said::This("arm64"));
    let variant = if arm { "arm64 GB" } else { "GB" };
    let quantity = memory.in_parts(1_024).times(instances);
    tally.add_of(FUNCTION, variant, (quantity, at_least || may_be_more));
}

/// App Runner keeps at least one instance in memory; its processors cost only while it works.
fn app(sheet: &Sheet<'_>, tally: &mut Tally) {
    let memory = match sheet.text(&["InstanceConfiguration", "Memory"]) {
        Said::This(text) => match text.strip_suffix("GB") {
            Some(gigabytes) => Quantity::parse(gigabytes.trim()).map_or(Said::Unknown, Said::This),
            None => sheet
                .number(&["InstanceConfiguration", "Memory"])
                .map(|megabytes| megabytes.in_parts(1_024)),
        },
        Said::Nothing => Said::Nothing,
        Said::Unknown => sheet
            .number(&["InstanceConfiguration", "Memory"])
            .map(|megabytes| megabytes.in_parts(1_024)),
    };
    let half = Quantity::ONE.in_parts(2);
    tally.add("GB", memory.at_least(Quantity::whole(2), half));
}

fn endpoint(sheet: &Sheet<'_>, tally: &mut Tally) {
    let Some(config) = sheet.resource(&["EndpointConfigName"]) else { return tally.unknown("") };
    let Said::This(variants) = config.items(&["ProductionVariants"]) else {
        return tally.unknown("");
    };
    for variant in variants.iter().filter(|variant| !variant.has(&["ServerlessConfig"])) {
        let count = variant.number(&["InitialInstanceCount"]);
        let count = count.at_least(Quantity::ONE, Quantity::ONE);
        tally.class("", variant.text(&["InstanceType"]), count);
    }
}
