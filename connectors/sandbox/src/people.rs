//! Invented people and companies, the same for the same seed. Phone numbers come from ranges kept for fiction where
//! a country has one, and are typed the many ways people type them (sheet 2.3). Not one of them exists.

/// A small generator of our own, so that the data stays the same whatever version a library has.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// Starts from a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed ^ 0x9E37_79B9_7F4A_7C15)
    }

    /// The next number (splitmix64).
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.roll() % n.max(1) as u64).expect("below a usize")
    }

    /// One of some.
    pub fn pick<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())].clone()
    }

    /// True in `percent` of cases.
    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

/// Where people are from: decides names, towns and numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Country {
    /// Austria
    At,
    /// Germany
    De,
    /// United Kingdom
    Gb,
    /// United States
    Us,
    /// France
    Fr,
    /// Sweden
    Se,
    /// Australia
    Au,
}

/// All of them, the frequent ones more than once.
const COUNTRIES: [Country; 14] = [
    Country::At,
    Country::At,
    Country::At,
    Country::De,
    Country::De,
    Country::De,
    Country::Gb,
    Country::Gb,
    Country::Gb,
    Country::Us,
    Country::Us,
    Country::Fr,
    Country::Se,
    Country::Au,
];

/// A company.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Company {
    /// Name.
    pub name: String,
    /// Domain under `.example`.
    pub domain: String,
    /// Country.
    pub country: Country,
    /// Town.
    pub city: &'static str,
    /// Trade.
    pub industry: &'static str,
    /// Switchboard, as typed.
    pub phone: String,
}

/// A person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Human {
    /// First name.
    pub first: String,
    /// Last name.
    pub last: String,
    /// Form of address.
    pub salutation: &'static str,
    /// Position.
    pub title: &'static str,
    /// E-mail address.
    pub email: Option<String>,
    /// Phone, as typed.
    pub phone: Option<String>,
    /// Mobile phone, as typed.
    pub mobile: Option<String>,
    /// Index into the companies.
    pub company: usize,
    /// Country.
    pub country: Country,
}

/// A person whom every stand-in knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// First name.
    pub first: &'static str,
    /// Last name.
    pub last: &'static str,
    /// E-mail address.
    pub email: &'static str,
    /// Position.
    pub title: &'static str,
    /// Company.
    pub company: &'static str,
    /// Town.
    pub city: &'static str,
    /// Country.
    pub country: &'static str,
}

/// People the demo relies on, in every stand-in; the README lists them. Each CRM types their numbers its own way.
pub const KNOWN: [Known; 6] = [
    Known {
        first: "Grace",
        last: "Okafor",
        email: "grace.okafor@okafor-sons.example",
        title: "Managing Director",
        company: "Okafor & Sons",
        city: "London",
        country: "United Kingdom",
    },
    Known {
        first: "Tom",
        last: "Reyes",
        email: "tom.reyes@bellweather-marine.example",
        title: "Yard Manager",
        company: "Bellweather Marine Inc.",
        city: "San Francisco",
        country: "United States",
    },
    Known {
        first: "Ines",
        last: "Marek",
        email: "ines.marek@zirbe-moebel.example",
        title: "Einkaufsleiterin",
        company: "Zirbe Möbel GmbH",
        city: "Wien",
        country: "Austria",
    },
    Known {
        first: "Jürgen",
        last: "Weißenfels",
        email: "j.weissenfels@granit-technik.example",
        title: "IT-Leiter",
        company: "Granit Technik AG",
        city: "Berlin",
        country: "Germany",
    },
    Known {
        first: "Ana",
        last: "Lindholm",
        email: "ana@lindholm-radio.example",
        title: "Owner",
        company: "Lindholm Radio AB",
        city: "Stockholm",
        country: "Sweden",
    },
    Known {
        first: "Per",
        last: "Lindholm",
        email: "per@lindholm-radio.example",
        title: "Owner",
        company: "Lindholm Radio AB",
        city: "Stockholm",
        country: "Sweden",
    },
];

/// What cases are about: subject, reason, type.
pub const SUBJECTS: [(&str, &str, &str); 18] = [
    ("Invoice shows the old address", "Billing", "Question"),
    ("Parcel arrived damaged", "Delivery", "Complaint"),
    ("Cannot sign in after the update", "Performance", "Problem"),
    ("Delivery is three days late", "Delivery", "Complaint"),
    ("How do I add a second user?", "Installation", "Question"),
    ("Refund for a cancelled order", "Billing", "Question"),
    ("Replacement part for the label printer", "Breakdown", "Problem"),
    ("Order confirmation never came", "Other", "Problem"),
    ("Wrong quantity delivered", "Delivery", "Complaint"),
    ("Export to spreadsheet drops a column", "Performance", "Problem"),
    ("Please change the contact person", "Other", "Question"),
    ("Credit note missing", "Billing", "Question"),
    ("Scanner does not pair", "Equipment Complexity", "Problem"),
    ("Opening hours over the holidays", "Other", "Question"),
    ("Dark mode for the shop floor screens", "Other", "Feature Request"),
    ("Two accounts for the same company", "Other", "Problem"),
    ("Installation date must move", "Installation", "Question"),
    ("Price differs from the offer", "Billing", "Complaint"),
];

const NOUNS: [&str; 30] = [
    "Harbour",
    "Lindwurm",
    "Copperfield",
    "Nordlicht",
    "Alder",
    "Quarry",
    "Saltmarsh",
    "Zirbe",
    "Meridian",
    "Kestrel",
    "Bluebell",
    "Granit",
    "Orchard",
    "Lantern",
    "Tidewater",
    "Falke",
    "Juniper",
    "Silberbach",
    "Thistle",
    "Compass",
    "Marmot",
    "Brightwater",
    "Enzian",
    "Sextant",
    "Willow",
    "Polar",
    "Basalt",
    "Heron",
    "Sonnwend",
    "Fjord",
];
const TRADES: [(&str, &str); 12] = [
    ("Logistics", "Shipping"),
    ("Engineering", "Engineering"),
    ("Foods", "Food"),
    ("Media", "Media"),
    ("Health", "Healthcare"),
    ("Timber", "Construction"),
    ("Academy", "Education"),
    ("Hotels", "Hospitality"),
    ("Capital", "Finance"),
    ("Farms", "Agriculture"),
    ("Outfitters", "Retail"),
    ("Instruments", "Technology"),
];
const TITLES: [&str; 12] = [
    "Office Manager",
    "Head of Purchasing",
    "Managing Director",
    "Accountant",
    "Service Technician",
    "Logistics Planner",
    "Receptionist",
    "IT Administrator",
    "Sales Manager",
    "Project Lead",
    "Owner",
    "Buyer",
];

impl Country {
    fn cities(self) -> &'static [&'static str] {
        match self {
            Self::At => &["Wien", "Graz", "Linz", "Salzburg", "Innsbruck", "Klagenfurt"],
            Self::De => &["Berlin", "Hamburg", "München", "Köln", "Frankfurt am Main"],
            Self::Gb => &["London", "Leeds", "Bristol", "Glasgow", "Manchester"],
            Self::Us => &["San Francisco", "Chicago", "Austin", "Portland", "Boston"],
            Self::Fr => &["Paris", "Lyon", "Nantes", "Lille"],
            Self::Se => &["Stockholm", "Göteborg", "Uppsala"],
            Self::Au => &["Sydney", "Melbourne", "Hobart"],
        }
    }

    /// The country's name as addresses have it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::At => "Austria",
            Self::De => "Germany",
            Self::Gb => "United Kingdom",
            Self::Us => "United States",
            Self::Fr => "France",
            Self::Se => "Sweden",
            Self::Au => "Australia",
        }
    }

    /// The country's calling code.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::At => "43",
            Self::De => "49",
            Self::Gb => "44",
            Self::Us => "1",
            Self::Fr => "33",
            Self::Se => "46",
            Self::Au => "61",
        }
    }

    fn names(self) -> (&'static [&'static str], &'static [&'static str]) {
        match self {
            Self::At => (
                &[
                    "Ines",
                    "Lukas",
                    "Magdalena",
                    "Florian",
                    "Theresa",
                    "Jakob",
                    "Katharina",
                    "Matthias",
                    "Zdenka",
                    "Emre",
                ],
                &[
                    "Marek",
                    "Hinterwald",
                    "Obermoser",
                    "Čermák",
                    "Stadlhuber",
                    "Weißenbach",
                    "Prohaska",
                    "Yıldırım",
                    "Gruberbauer",
                    "Steinkellner",
                ],
            ),
            Self::De => (
                &[
                    "Anneke", "Jonas", "Svenja", "Bastian", "Leyla", "Henrik", "Greta", "Mirko", "Jürgen",
                    "Antje",
                ],
                &[
                    "Bröcker",
                    "Lindenthal",
                    "Kowalke",
                    "Özgün",
                    "Petersdorf",
                    "Schäfferling",
                    "Wiesengrund",
                    "Harms-Okonjo",
                    "Nagelschmidt",
                    "Uhlenbrook",
                ],
            ),
            Self::Gb => (
                &["Grace", "Rhys", "Priya", "Callum", "Imogen", "Tariq", "Bronwen", "Dev", "Maisie", "Angus"],
                &[
                    "Ashdown-Clay",
                    "Penhaligon",
                    "Raghunath",
                    "O'Sheridan",
                    "Thwaite",
                    "Mukherji",
                    "Llewellyn-Pryce",
                    "Abernathie",
                    "Fairweather",
                    "Okonedo",
                ],
            ),
            Self::Us => (
                &["Tom", "Marisol", "Darnell", "Kayla", "Wei", "Rosa", "Hank", "Nia", "Brooks", "Leilani"],
                &[
                    "Reyes",
                    "Castellan",
                    "Whitlock",
                    "Tran-Delgado",
                    "Okoro",
                    "Bellweather",
                    "Nakagami",
                    "Sandoval",
                    "Hollister",
                    "Kealoha",
                ],
            ),
            Self::Fr => (
                &["Élodie", "Bastien", "Aïcha", "Rémi", "Solène", "Thibault"],
                &["Châtelard", "Vauquelin", "Benhamouda", "Lefèvre-Roux", "d'Orsigny", "Quémener"],
            ),
            Self::Se => (
                &["Åsa", "Linnéa", "Björn", "Signe", "Mattias", "Amina"],
                &["Strandhjelm", "Öhrnberg", "Lagerkvistad", "Håkansdotter", "Wikstad", "Farahani"],
            ),
            Self::Au => (
                &["Mia", "Lachlan", "Tahlia", "Bruce", "Yarran", "Jacinta"],
                &["Wattlebury", "Nguyen-Clarke", "McAllendar", "Burrowes", "Papandrou", "Jarrahdale"],
            ),
        }
    }

    /// The significant digits of a landline, split as people write it: country, area, rest.
    fn landline(self, dice: &mut Dice) -> (&'static str, String, String) {
        let three = dice.below(1_000);
        let two = dice.below(100);
        match self {
            // Austria keeps no range for fiction; these are invented all the same.
            Self::At => ("43", dice.pick(&["1", "316", "732", "662"]).to_owned(), format!("5550{three:03}")),
            Self::De => {
                let (area, block) = dice.pick(&[
                    ("30", "23125"),
                    ("69", "90009"),
                    ("40", "66969"),
                    ("221", "4710"),
                    ("89", "99998"),
                ]);
                ("49", area.to_owned(), format!("{block}{three:03}"))
            }
            Self::Gb => {
                let (area, block) =
                    dice.pick(&[("20", "79460"), ("161", "4960"), ("141", "4960"), ("117", "4960")]);
                ("44", area.to_owned(), format!("{block}{three:03}"))
            }
            Self::Us => {
                let area = dice.pick(&["415", "312", "512", "503", "617"]);
                ("1", area.to_owned(), format!("55501{two:02}"))
            }
            Self::Fr => {
                let block = dice.pick(&["19900", "26191", "35301", "46571", "53649"]);
                ("33", block[..1].to_owned(), format!("{}{:04}", &block[1..], dice.below(10_000)))
            }
            Self::Se => ("46", "8".to_owned(), format!("465004{two:02}")),
            Self::Au => {
                ("61", dice.pick(&["2", "3"]).to_owned(), format!("{}{:04}", "5550", dice.below(10_000)))
            }
        }
    }

    fn mobile(self, dice: &mut Dice) -> (&'static str, String, String) {
        let three = dice.below(1_000);
        match self {
            Self::At => ("43", dice.pick(&["664", "676", "660"]).to_owned(), format!("5550{three:03}")),
            Self::De => ("49", "171".to_owned(), format!("39200{:02}", dice.below(100))),
            Self::Gb => ("44", "7700".to_owned(), format!("900{three:03}")),
            Self::Us => self.landline(dice),
            Self::Fr => ("33", "6".to_owned(), format!("3998{:04}", dice.below(10_000))),
            Self::Se => ("46", "70".to_owned(), format!("17406{:02}", 5 + dice.below(95))),
            Self::Au => ("61", "4".to_owned(), format!("91570{:03}", 6 + dice.below(150))),
        }
    }
}

fn spaced(digits: &str) -> String {
    let cut = if digits.len() > 5 { digits.len() - 4 } else { digits.len() };
    let (a, b) = digits.split_at(cut);
    if b.is_empty() { a.to_owned() } else { format!("{a} {b}") }
}

/// Types a number one of the ways people do.
#[must_use]
pub fn typed(dice: &mut Dice, country: Country, mobile: bool) -> String {
    let (cc, area, rest) = if mobile { country.mobile(dice) } else { country.landline(dice) };
    if country == Country::Us {
        let (a, b) = rest.split_at(3);
        return match dice.below(8) {
            0 | 1 => format!("({area}) {a}-{b}"),
            2 => format!("{area}-{a}-{b}"),
            3 => format!("{area}.{a}.{b}"),
            4 => format!("+1 {area} {a} {b}"),
            5 => format!("+1{area}{rest}"),
            6 => format!("1-{area}-{a}-{b}"),
            _ => format!("({area}) {a}-{b} x{}", 10 + dice.below(90)),
        };
    }
    match dice.below(11) {
        0 | 1 => format!("+{cc}{area}{rest}"),
        2 => format!("+{cc} {area} {}", spaced(&rest)),
        3 => format!("+{cc} (0){area} {}", spaced(&rest)),
        4 => format!("00{cc} {area} {rest}"),
        5 => format!("0{area} {}", spaced(&rest)),
        6 => format!("0{area}/{rest}"),
        7 => format!("(0{area}) {}", spaced(&rest)),
        8 => format!("0{area}-{}", spaced(&rest).replace(' ', "-")),
        9 => format!("0{area}{rest}"),
        _ if mobile => format!("+{cc} {area}.{}", spaced(&rest).replace(' ', ".")),
        _ => format!("+{cc} {area} {} ext. {}", spaced(&rest), 10 + dice.below(90)),
    }
}

/// Types a number of [`typed`] again, as other people in another CRM would.
#[must_use]
pub fn typed_again(dice: &mut Dice, country: Country, number: &str) -> String {
    let (number, extension) = match number.split_once(" x").or_else(|| number.split_once(" ext. ")) {
        Some((number, extension)) => (number, format!(" x{extension}")),
        None => (number, String::new()),
    };
    let cc = country.code();
    let digits: String = number.replace("(0)", "").chars().filter(char::is_ascii_digit).collect();
    let national = match digits.strip_prefix("00") {
        Some(rest) => rest.strip_prefix(cc).unwrap_or(rest),
        None if number.starts_with('+') => digits.strip_prefix(cc).unwrap_or(&digits),
        None if country == Country::Us && digits.len() == 11 => &digits[1..],
        None => digits.strip_prefix('0').unwrap_or(&digits),
    };
    let groups = |by: &str| {
        let (front, back) = national.split_at(national.len().min(3));
        let mut parts = vec![front.to_owned()];
        parts.extend(back.as_bytes().chunks(3).map(|c| String::from_utf8_lossy(c).into_owned()));
        parts.join(by)
    };
    let trunk = if country == Country::Us { "" } else { "0" };
    let again = match dice.below(9) {
        0 | 1 => format!("+{cc}{national}"),
        2 => format!("+{cc} {}", groups(" ")),
        3 => format!("{trunk}{national}"),
        4 => format!("{trunk}{}", groups(" ")),
        5 => format!("+{cc}-{}", groups("-")),
        6 => format!("{trunk}{}", groups(".")),
        7 => format!("00{cc}{national}"),
        // A blank that does not break, and one that nobody sees at the end: pasted from a web page.
        _ => format!("+{cc}\u{a0}{} ", groups("\u{a0}")),
    };
    format!("{again}{extension}")
}

fn ascii(text: &str) -> String {
    text.chars()
        .filter_map(|c| {
            Some(match c.to_lowercase().next()? {
                'ä' | 'å' | 'á' | 'â' | 'à' => 'a',
                'ö' | 'ø' | 'ó' => 'o',
                'ü' | 'ú' => 'u',
                'é' | 'è' | 'ê' => 'e',
                'ï' | 'í' | 'ı' => 'i',
                'č' => 'c',
                'ß' => 's',
                c if c.is_ascii_alphanumeric() || c == '-' => c,
                _ => return None,
            })
        })
        .collect()
}

/// Companies, all different.
#[must_use]
pub fn companies(dice: &mut Dice, n: usize) -> Vec<Company> {
    let mut out: Vec<Company> = Vec::with_capacity(n);
    while out.len() < n {
        let country = dice.pick(&COUNTRIES);
        let (trade, industry) = dice.pick(&TRADES);
        let suffix = match country {
            Country::At | Country::De => dice.pick(&["GmbH", "AG", "KG"]),
            Country::Gb => "Ltd",
            Country::Us => dice.pick(&["Inc.", "LLC"]),
            Country::Fr => "SAS",
            Country::Se => "AB",
            Country::Au => "Pty Ltd",
        };
        let noun = dice.pick(&NOUNS);
        let name = format!("{noun} {trade} {suffix}");
        let domain = format!("{}-{}.example", noun.to_lowercase(), trade.to_lowercase());
        if out.iter().any(|c| c.domain == domain) {
            continue;
        }
        let phone = typed(dice, country, false);
        out.push(Company { name, domain, country, city: dice.pick(country.cities()), industry, phone });
    }
    out
}

/// People of these companies. About one in twelve has no direct number and carries the company's switchboard, so
/// that some numbers belong to several.
#[must_use]
pub fn humans(dice: &mut Dice, companies: &[Company], n: usize) -> Vec<Human> {
    let mut out: Vec<Human> = Vec::with_capacity(n);
    let mut seen = std::collections::BTreeSet::new();
    while out.len() < n {
        let company = dice.below(companies.len());
        let Company { country, domain, phone, .. } = &companies[company];
        let (firsts, lasts) = country.names();
        let (first, last) = (dice.pick(firsts), dice.pick(lasts));
        let address = format!("{}.{}@{domain}", ascii(first), ascii(last));
        if !seen.insert(address.clone()) {
            continue;
        }
        let direct = if dice.chance(8) { phone.clone() } else { typed(dice, *country, false) };
        out.push(Human {
            first: first.to_owned(),
            last: last.to_owned(),
            salutation: dice.pick(&["", "", "Mr.", "Ms.", "Dr.", "Mx."]),
            title: dice.pick(&TITLES),
            email: dice.chance(94).then_some(address),
            phone: dice.chance(88).then_some(direct),
            mobile: dice.chance(55).then(|| typed(dice, *country, true)),
            company,
            country: *country,
        });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_people() {
        let make = |seed| {
            let mut dice = Dice::new(seed);
            let companies = companies(&mut dice, 60);
            let humans = humans(&mut dice, &companies, 230);
            (companies, humans)
        };
        assert_eq!(make(7), make(7));
        assert_ne!(make(7), make(8));
    }

    #[test]
    fn numbers_fit_the_field_and_are_typed_in_many_ways() {
        let mut dice = Dice::new(1);
        let mut shapes = std::collections::BTreeSet::new();
        for country in COUNTRIES {
            for _ in 0..200 {
                let mobile = dice.chance(40);
                let number = typed(&mut dice, country, mobile);
                assert!(number.chars().count() <= 40, "{number}");
                let shape: String =
                    number.chars().map(|c| if c.is_ascii_digit() { '9' } else { c }).collect();
                shapes.insert(shape);
            }
        }
        assert!(shapes.len() > 40, "{shapes:?}");
    }

    #[test]
    fn a_number_typed_again_is_the_same_number() {
        let mut dice = Dice::new(3);
        let bare = |country: Country, text: &str| {
            let number = text.split(" x").next().unwrap().split(" ext").next().unwrap().replace("(0)", "");
            let digits: String = number.chars().filter(char::is_ascii_digit).collect();
            let international = format!("00{}", country.code());
            let digits = digits.strip_prefix(&international).map_or(digits.clone(), str::to_owned);
            let digits = match number.trim_start().strip_prefix('+') {
                Some(_) => digits[country.code().len()..].to_owned(),
                None => digits,
            };
            let digits =
                if country == Country::Us && digits.len() == 11 { digits[1..].to_owned() } else { digits };
            digits.trim_start_matches('0').to_owned()
        };
        for country in COUNTRIES {
            for _ in 0..100 {
                let number = typed(&mut dice, country, true);
                let again = typed_again(&mut dice, country, &number);
                assert_eq!(bare(country, &again), bare(country, &number), "{number} became {again}");
                assert!(again.chars().count() <= 50, "{again}");
            }
        }
    }
}
