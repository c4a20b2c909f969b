// The classes of \p{...} as far as they matter to bytes: what of each lies in Latin-1
// (https://www.unicode.org/reports/tr44/), and which names there are.
import { addAll } from "./rune-class";

/** Two-letter general categories. Those without a byte are empty. */
const CATEGORIES = "Cc Cf Co Cs Ll Lm Lo Lt Lu Mc Me Mn Nd Nl No Pc Pd Pe Pf Pi Po Ps Sc Sk Sm So Zl Zp Zs";

/** Scripts of Unicode 15, which Envoy 1.40 knows, without a byte in Latin-1. */
const OTHER_SCRIPTS =
  "Adlam Ahom Anatolian_Hieroglyphs Arabic Armenian Avestan Balinese Bamum Bassa_Vah Batak Bengali Bhaiksuki " +
  "Bopomofo Brahmi Braille Buginese Buhid Canadian_Aboriginal Carian Caucasian_Albanian Chakma Cham Cherokee " +
  "Chorasmian Coptic Cuneiform Cypriot Cypro_Minoan Cyrillic Deseret Devanagari Dives_Akuru Dogra Duployan " +
  "Egyptian_Hieroglyphs Elbasan Elymaic Ethiopic Georgian Glagolitic Gothic Grantha Greek Gujarati Gunjala_Gondi " +
  "Gurmukhi Han Hangul Hanifi_Rohingya Hanunoo Hatran Hebrew Hiragana Imperial_Aramaic Inherited " +
  "Inscriptional_Pahlavi Inscriptional_Parthian Javanese Kaithi Kannada Katakana Kawi Kayah_Li Kharoshthi " +
  "Khitan_Small_Script Khmer Khojki Khudawadi Lao Lepcha Limbu Linear_A Linear_B Lisu Lycian Lydian Mahajani " +
  "Makasar Malayalam Mandaic Manichaean Marchen Masaram_Gondi Medefaidrin Meetei_Mayek Mende_Kikakui " +
  "Meroitic_Cursive Meroitic_Hieroglyphs Miao Modi Mongolian Mro Multani Myanmar Nabataean Nag_Mundari " +
  "Nandinagari New_Tai_Lue Newa Nko Nushu Nyiakeng_Puachue_Hmong Ogham Ol_Chiki Old_Hungarian Old_Italic " +
  "Old_North_Arabian Old_Permic Old_Persian Old_Sogdian Old_South_Arabian Old_Turkic Old_Uyghur Oriya Osage " +
  "Osmanya Pahawh_Hmong Palmyrene Pau_Cin_Hau Phags_Pa Phoenician Psalter_Pahlavi Rejang Runic Samaritan " +
  "Saurashtra Sharada Shavian Siddham SignWriting Sinhala Sogdian Sora_Sompeng Soyombo Sundanese Syloti_Nagri " +
  "Syriac Tagalog Tagbanwa Tai_Le Tai_Tham Tai_Viet Takri Tamil Tangsa Tangut Telugu Thaana Thai Tibetan Tifinagh " +
  "Tirhuta Toto Ugaritic Vai Vithkuqi Wancho Warang_Citi Yezidi Yi Zanabazar_Square";

/**
 * Returns the bytes of a general category (L, Lu), a script (Greek) or Any, or null when RE2 knows no such name. Names
 * have case.
 */
export function unicodeClass(name: string): i32[] | null {
  if (name == "Any") return [0, 0xff];
  if (name == "Latin") return [0x41, 0x5a, 0x61, 0x7a, 0xaa, 0xaa, 0xba, 0xba, 0xc0, 0xd6, 0xd8, 0xf6, 0xf8, 0xff];
  if (name == "Common") return [0, 0x40, 0x5b, 0x60, 0x7b, 0xa9, 0xab, 0xb9, 0xbb, 0xbf, 0xd7, 0xd7, 0xf7, 0xf7];
  const categories = CATEGORIES.split(" ");
  if (name.length == 1) return majorCategory(name, categories);
  if (categories.includes(name)) return category(name);
  return OTHER_SCRIPTS.split(" ").includes(name) ? [] : null;
}

/** A one-letter category is all that begin with that letter. */
function majorCategory(letter: string, categories: string[]): i32[] | null {
  const ranges: i32[] = [];
  let known = false;
  for (let i = 0; i < categories.length; i++) {
    if (!categories[i].startsWith(letter)) continue;
    known = true;
    addAll(ranges, category(categories[i]));
  }
  return known ? ranges : null;
}

function category(name: string): i32[] {
  if (name == "Cc") return [0, 0x1f, 0x7f, 0x9f];
  if (name == "Cf") return [0xad, 0xad];
  if (name == "Ll") return [0x61, 0x7a, 0xb5, 0xb5, 0xdf, 0xf6, 0xf8, 0xff];
  if (name == "Lo") return [0xaa, 0xaa, 0xba, 0xba];
  if (name == "Lu") return [0x41, 0x5a, 0xc0, 0xd6, 0xd8, 0xde];
  if (name == "Nd") return [0x30, 0x39];
  if (name == "No") return [0xb2, 0xb3, 0xb9, 0xb9, 0xbc, 0xbe];
  if (name == "Pc") return [0x5f, 0x5f];
  if (name == "Pd") return [0x2d, 0x2d];
  if (name == "Pe") return [0x29, 0x29, 0x5d, 0x5d, 0x7d, 0x7d];
  if (name == "Pf") return [0xbb, 0xbb];
  if (name == "Pi") return [0xab, 0xab];
  if (name == "Po")
    return [
      0x21, 0x23, 0x25, 0x27, 0x2a, 0x2a, 0x2c, 0x2c, 0x2e, 0x2f, 0x3a, 0x3b, 0x3f, 0x40, 0x5c, 0x5c, 0xa1, 0xa1, 0xa7,
      0xa7, 0xb6, 0xb7, 0xbf, 0xbf,
    ];
  if (name == "Ps") return [0x28, 0x28, 0x5b, 0x5b, 0x7b, 0x7b];
  if (name == "Sc") return [0x24, 0x24, 0xa2, 0xa5];
  if (name == "Sk") return [0x5e, 0x5e, 0x60, 0x60, 0xa8, 0xa8, 0xaf, 0xaf, 0xb4, 0xb4, 0xb8, 0xb8];
  if (name == "Sm")
    return [0x2b, 0x2b, 0x3c, 0x3e, 0x7c, 0x7c, 0x7e, 0x7e, 0xac, 0xac, 0xb1, 0xb1, 0xd7, 0xd7, 0xf7, 0xf7];
  if (name == "So") return [0xa6, 0xa6, 0xa9, 0xa9, 0xae, 0xae, 0xb0, 0xb0];
  if (name == "Zs") return [0x20, 0x20, 0xa0, 0xa0];
  return [];
}
