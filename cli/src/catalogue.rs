//! Public data sets, where they are published, and the checksums of their files.

/// A data set.
pub(crate) struct Set {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) source: Source,
}

/// How a set is had.
pub(crate) enum Source {
    /// Files with checksums; the text says whose.
    Files { files: &'static [File], sums: &'static str },
    /// A page whose files cannot be fetched without a person, and what to do there.
    Page { url: &'static str, hint: &'static str },
}

/// A file of a set.
pub(crate) struct File {
    /// Under which it is kept.
    pub(crate) name: &'static str,
    pub(crate) url: &'static str,
    pub(crate) md5: &'static str,
}

const fn file(name: &'static str, url: &'static str, md5: &'static str) -> File {
    File { name, url, md5 }
}

/// The sums that libraries which fetch the same files have in common.
const COMMON: &str = "of common libraries";
const AUTHORS: &str = "of its authors";

/// The set called `name`.
pub(crate) fn find(name: &str) -> Option<&'static Set> {
    SETS.iter().find(|set| set.name == name)
}

pub(crate) const SETS: [Set; 9] = [
    Set {
        name: "mnist",
        about: "digits, 1x28x28, 10 classes",
        source: Source::Files { files: &MNIST, sums: COMMON },
    },
    Set {
        name: "fashion-mnist",
        about: "clothes, 1x28x28, 10 classes",
        source: Source::Files { files: &FASHION_MNIST, sums: AUTHORS },
    },
    Set {
        name: "cifar10",
        about: "photographs, 3x32x32, 10 classes",
        source: Source::Files { files: &CIFAR10, sums: AUTHORS },
    },
    Set {
        name: "cifar100",
        about: "photographs, 3x32x32, 100 classes",
        source: Source::Files { files: &CIFAR100, sums: AUTHORS },
    },
    Set {
        name: "tiny-imagenet",
        about: "photographs, 3x64x64, 200 classes",
        source: Source::Files { files: &TINY_IMAGENET, sums: COMMON },
    },
    Set {
        name: "n-mnist",
        about: "events of digits, 34x34, 10 classes",
        source: Source::Files { files: &N_MNIST, sums: COMMON },
    },
    Set {
        name: "cifar10-dvs",
        about: "events of photographs, 128x128, 10 classes",
        source: Source::Files { files: &CIFAR10_DVS, sums: COMMON },
    },
    Set {
        name: "n-cars",
        about: "events of cars, 120x100, 2 classes",
        source: Source::Page {
            url: "https://www.prophesee.ai/2018/03/13/dataset-n-cars/",
            hint: "unpack it; its folders train and test are read",
        },
    },
    Set {
        name: "dvs-gesture",
        about: "events of gestures, 128x128, 11 classes",
        source: Source::Page {
            url: "https://research.ibm.com/interactive/dvsgesture/",
            hint: "unpack it, or give the archive as it is; recordings, labels and lists of trials are read",
        },
    },
];

const MNIST: [File; 4] = [
    file(
        "train-images-idx3-ubyte.gz",
        "https://ossci-datasets.s3.amazonaws.com/mnist/train-images-idx3-ubyte.gz",
        "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    ),
    file(
        "train-labels-idx1-ubyte.gz",
        "https://ossci-datasets.s3.amazonaws.com/mnist/train-labels-idx1-ubyte.gz",
        "d53e105ee54ea40749a09fcbcd1e9432",
    ),
    file(
        "t10k-images-idx3-ubyte.gz",
        "https://ossci-datasets.s3.amazonaws.com/mnist/t10k-images-idx3-ubyte.gz",
        "9fb629c4189551a2d022fa330f9573f3",
    ),
    file(
        "t10k-labels-idx1-ubyte.gz",
        "https://ossci-datasets.s3.amazonaws.com/mnist/t10k-labels-idx1-ubyte.gz",
        "ec29112dd5afa0611ce80d1b7f02629c",
    ),
];

const FASHION_MNIST: [File; 4] = [
    file(
        "train-images-idx3-ubyte.gz",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/train-images-idx3-ubyte.gz",
        "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
    ),
    file(
        "train-labels-idx1-ubyte.gz",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/train-labels-idx1-ubyte.gz",
        "25c81989df183df01b3e8a0aad5dffbe",
    ),
    file(
        "t10k-images-idx3-ubyte.gz",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/t10k-images-idx3-ubyte.gz",
        "bef4ecab320f06d8554ea6380940ec79",
    ),
    file(
        "t10k-labels-idx1-ubyte.gz",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/t10k-labels-idx1-ubyte.gz",
        "bb300cfdad3c16e7a12a480ee83cd310",
    ),
];

const CIFAR10: [File; 1] = [file(
    "cifar-10-binary.tar.gz",
    "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
    "c32a1d4ab5d03f1284b67883e8d87530",
)];

const CIFAR100: [File; 1] = [file(
    "cifar-100-binary.tar.gz",
    "https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz",
    "03b5dce01913d631647c71ecec9e9cb8",
)];

const TINY_IMAGENET: [File; 1] = [file(
    "tiny-imagenet-200.zip",
    "http://cs231n.stanford.edu/tiny-imagenet-200.zip",
    "90528d7ca1a48142e341f4ef8d21d0de",
)];

const N_MNIST: [File; 2] = [
    file(
        "Train.zip",
        "https://data.mendeley.com/public-files/datasets/468j46mzdv/files/39c25547-014b-4137-a934-9d29fa53c7a0/file_downloaded",
        "20959b8e626244a1b502305a9e6e2031",
    ),
    file(
        "Test.zip",
        "https://data.mendeley.com/public-files/datasets/468j46mzdv/files/05a4d654-7e03-4c15-bdfa-9bb2bcbea494/file_downloaded",
        "69ca8762b2fe404d9b9bad1103e97832",
    ),
];

const CIFAR10_DVS: [File; 10] = [
    file(
        "airplane.zip",
        "https://ndownloader.figshare.com/files/7712788",
        "0afd5c4bf9ae06af762a77b180354fdd",
    ),
    file(
        "automobile.zip",
        "https://ndownloader.figshare.com/files/7712791",
        "8438dfeba3bc970c94962d995b1b9bdd",
    ),
    file("bird.zip", "https://ndownloader.figshare.com/files/7712794", "a9c207c91c55b9dc2002dc21c684d785"),
    file("cat.zip", "https://ndownloader.figshare.com/files/7712812", "52c63c677c2b15fa5146a8daf4d56687"),
    file("deer.zip", "https://ndownloader.figshare.com/files/7712815", "b6bf21f6c04d21ba4e23fc3e36c8a4a3"),
    file("dog.zip", "https://ndownloader.figshare.com/files/7712818", "f379ebdf6703d16e0a690782e62639c3"),
    file("frog.zip", "https://ndownloader.figshare.com/files/7712842", "cad6ed91214b1c7388a5f6ee56d08803"),
    file("horse.zip", "https://ndownloader.figshare.com/files/7712851", "e7cbbf77bec584ffbf913f00e682782a"),
    file("ship.zip", "https://ndownloader.figshare.com/files/7712836", "41c7bd7d6b251be82557c6cce9a7d5c9"),
    file("truck.zip", "https://ndownloader.figshare.com/files/7712839", "89f3922fd147d9aeff89e76a2b0b70a7"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_has_an_address_and_a_sum() {
        for set in &SETS {
            let Source::Files { files, .. } = set.source else { continue };
            for (i, File { name, url, md5 }) in files.iter().enumerate() {
                assert!(url.starts_with("https://") || url.starts_with("http://"), "{name}");
                assert!(
                    md5.len() == 32 && md5.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
                );
                assert!(files[..i].iter().all(|other| other.name != *name && other.md5 != *md5), "{name}");
            }
        }
    }
}
