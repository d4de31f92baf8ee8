/**
 * Writes native/text/unicode_tables.cpp, the pinned Unicode data of the tokenizer:
 *
 *     node scripts/unicode-tables.mjs > native/text/unicode_tables.cpp
 *
 * The reference (Hugging Face tokenizers, 0.12.1 to 0.23) mixes several versions of Unicode, so nothing here follows the
 * machine that builds or runs: the lists below are the reference's own, and Node lends decompositions and lower case only
 * in the one version in which they were compared with it, code point by code point.
 */

/** Deleted by clean_text: Cc, Cf and Co of Unicode 8.0 without tab, LF and CR; and U+FFFD. */
const REMOVED = `
	0-8,B-C,E-1F,7F-9F,AD,600-605,61C,6DD,70F,180E,200B-200F,202A-202E,2060-2064,2066-206F,E000-F8FF,FEFF,FFF9-FFFB,FFFD,
	110BD,1BCA0-1BCA3,1D173-1D17A,E0001,E0020-E007F,F0000-FFFFD,100000-10FFFD`;

/** Words of their own: the punctuation of Unicode 8.0 and the ASCII symbols. */
const PUNCTUATION = `
	21-2F,3A-40,5B-60,7B-7E,A1,A7,AB,B6-B7,BB,BF,37E,387,55A-55F,589-58A,5BE,5C0,5C3,5C6,5F3-5F4,609-60A,60C-60D,61B,61E-61F,
	66A-66D,6D4,700-70D,7F7-7F9,830-83E,85E,964-965,970,AF0,DF4,E4F,E5A-E5B,F04-F12,F14,F3A-F3D,F85,FD0-FD4,FD9-FDA,104A-104F,
	10FB,1360-1368,1400,166D-166E,169B-169C,16EB-16ED,1735-1736,17D4-17D6,17D8-17DA,1800-180A,1944-1945,1A1E-1A1F,1AA0-1AA6,
	1AA8-1AAD,1B5A-1B60,1BFC-1BFF,1C3B-1C3F,1C7E-1C7F,1CC0-1CC7,1CD3,2010-2027,2030-2043,2045-2051,2053-205E,207D-207E,
	208D-208E,2308-230B,2329-232A,2768-2775,27C5-27C6,27E6-27EF,2983-2998,29D8-29DB,29FC-29FD,2CF9-2CFC,2CFE-2CFF,2D70,
	2E00-2E2E,2E30-2E42,3001-3003,3008-3011,3014-301F,3030,303D,30A0,30FB,A4FE-A4FF,A60D-A60F,A673,A67E,A6F2-A6F7,A874-A877,
	A8CE-A8CF,A8F8-A8FA,A8FC,A92E-A92F,A95F,A9C1-A9CD,A9DE-A9DF,AA5C-AA5F,AADE-AADF,AAF0-AAF1,ABEB,FD3E-FD3F,FE10-FE19,
	FE30-FE52,FE54-FE61,FE63,FE68,FE6A-FE6B,FF01-FF03,FF05-FF0A,FF0C-FF0F,FF1A-FF1B,FF1F-FF20,FF3B-FF3D,FF3F,FF5B,FF5D,
	FF5F-FF65,10100-10102,1039F,103D0,1056F,10857,1091F,1093F,10A50-10A58,10A7F,10AF0-10AF6,10B39-10B3F,10B99-10B9C,
	11047-1104D,110BB-110BC,110BE-110C1,11140-11143,11174-11175,111C5-111C9,111CD,111DB,111DD-111DF,11238-1123D,112A9,114C6,
	115C1-115D7,11641-11643,1173C-1173E,12470-12474,16A6E-16A6F,16AF5,16B37-16B3B,16B44,1BC9F,1DA87-1DA8B`;

/** Deleted by strip_accents: Mn of Unicode 8.0. */
const MARKS = `
	300-36F,483-487,591-5BD,5BF,5C1-5C2,5C4-5C5,5C7,610-61A,64B-65F,670,6D6-6DC,6DF-6E4,6E7-6E8,6EA-6ED,711,730-74A,7A6-7B0,
	7EB-7F3,816-819,81B-823,825-827,829-82D,859-85B,8E3-902,93A,93C,941-948,94D,951-957,962-963,981,9BC,9C1-9C4,9CD,9E2-9E3,
	A01-A02,A3C,A41-A42,A47-A48,A4B-A4D,A51,A70-A71,A75,A81-A82,ABC,AC1-AC5,AC7-AC8,ACD,AE2-AE3,B01,B3C,B3F,B41-B44,B4D,B56,
	B62-B63,B82,BC0,BCD,C00,C3E-C40,C46-C48,C4A-C4D,C55-C56,C62-C63,C81,CBC,CBF,CC6,CCC-CCD,CE2-CE3,D01,D41-D44,D4D,D62-D63,
	DCA,DD2-DD4,DD6,E31,E34-E3A,E47-E4E,EB1,EB4-EB9,EBB-EBC,EC8-ECD,F18-F19,F35,F37,F39,F71-F7E,F80-F84,F86-F87,F8D-F97,
	F99-FBC,FC6,102D-1030,1032-1037,1039-103A,103D-103E,1058-1059,105E-1060,1071-1074,1082,1085-1086,108D,109D,135D-135F,
	1712-1714,1732-1734,1752-1753,1772-1773,17B4-17B5,17B7-17BD,17C6,17C9-17D3,17DD,180B-180D,18A9,1920-1922,1927-1928,1932,
	1939-193B,1A17-1A18,1A1B,1A56,1A58-1A5E,1A60,1A62,1A65-1A6C,1A73-1A7C,1A7F,1AB0-1ABD,1B00-1B03,1B34,1B36-1B3A,1B3C,1B42,
	1B6B-1B73,1B80-1B81,1BA2-1BA5,1BA8-1BA9,1BAB-1BAD,1BE6,1BE8-1BE9,1BED,1BEF-1BF1,1C2C-1C33,1C36-1C37,1CD0-1CD2,1CD4-1CE0,
	1CE2-1CE8,1CED,1CF4,1CF8-1CF9,1DC0-1DF5,1DFC-1DFF,20D0-20DC,20E1,20E5-20F0,2CEF-2CF1,2D7F,2DE0-2DFF,302A-302D,3099-309A,
	A66F,A674-A67D,A69E-A69F,A6F0-A6F1,A802,A806,A80B,A825-A826,A8C4,A8E0-A8F1,A926-A92D,A947-A951,A980-A982,A9B3,A9B6-A9B9,
	A9BC,A9E5,AA29-AA2E,AA31-AA32,AA35-AA36,AA43,AA4C,AA7C,AAB0,AAB2-AAB4,AAB7-AAB8,AABE-AABF,AAC1,AAEC-AAED,AAF6,ABE5,ABE8,
	ABED,FB1E,FE00-FE0F,FE20-FE2F,101FD,102E0,10376-1037A,10A01-10A03,10A05-10A06,10A0C-10A0F,10A38-10A3A,10A3F,10AE5-10AE6,
	11001,11038-11046,1107F-11081,110B3-110B6,110B9-110BA,11100-11102,11127-1112B,1112D-11134,11173,11180-11181,111B6-111BE,
	111CA-111CC,1122F-11231,11234,11236-11237,112DF,112E3-112EA,11300-11301,1133C,11340,11366-1136C,11370-11374,114B3-114B8,
	114BA,114BF-114C0,114C2-114C3,115B2-115B5,115BC-115BD,115BF-115C0,115DC-115DD,11633-1163A,1163D,1163F-11640,116AB,116AD,
	116B0-116B5,116B7,1171D-1171F,11722-11725,11727-1172B,16AF0-16AF4,16B30-16B36,16F8F-16F92,1BC9D-1BC9E,1D167-1D169,
	1D17B-1D182,1D185-1D18B,1D1AA-1D1AD,1D242-1D244,1DA00-1DA36,1DA3B-1DA6C,1DA75,1DA84,1DA9B-1DA9F,1DAA1-1DAAF,1E8D0-1E8D6,
	E0100-E01EF`;

/** char::is_whitespace of Rust. VT, FF and NEL are deleted before they can separate, unless clean_text is off. */
const WHITE_SPACE = '9-D,20,85,A0,1680,2000-200A,2028-2029,202F,205F,3000';

/** What handle_chinese_chars puts spaces around; 2B920 instead of 2B820 is the reference's. */
const CHINESE = '4E00-9FFF,3400-4DBF,20000-2A6DF,2A700-2B73F,2B740-2B81F,2B920-2CEAF,F900-FAFF,2F800-2FA1F';

/** Canonical combining classes of Unicode 9.0, which order the marks behind a letter. */
const COMBINING_CLASSES = {
	1: '334-338,1CD4,1CE2-1CE8,20D2-20D3,20D8-20DA,20E5-20E6,20EA-20EB,10A39,16AF0-16AF4,1BC9E,1D167-1D169',
	7: `
		93C,9BC,A3C,ABC,B3C,CBC,1037,1B34,1BE6,1C37,A9B3,110BA,11173,111CA,11236,112E9,1133C,11446,114C3,115C0,116B7,1E94A`,
	8: '3099-309A',
	9: `
		94D,9CD,A4D,ACD,B4D,BCD,C4D,CCD,D4D,DCA,E3A,F84,1039-103A,1714,1734,17D2,1A60,1B44,1BAA-1BAB,1BF2-1BF3,2D7F,A806,A8C4,
		A953,A9C0,AAF6,ABED,10A3F,11046,1107F,110B9,11133-11134,111C0,11235,112EA,1134D,11442,114C2,115BF,1163F,116B6,1172B,11C3F`,
	10: '5B0',
	11: '5B1',
	12: '5B2',
	13: '5B3',
	14: '5B4',
	15: '5B5',
	16: '5B6',
	17: '5B7',
	18: '5B8,5C7',
	19: '5B9-5BA',
	20: '5BB',
	21: '5BC',
	22: '5BD',
	23: '5BF',
	24: '5C1',
	25: '5C2',
	26: 'FB1E',
	27: '64B,8F0',
	28: '64C,8F1',
	29: '64D,8F2',
	30: '618,64E',
	31: '619,64F',
	32: '61A,650',
	33: '651',
	34: '652',
	35: '670',
	36: '711',
	84: 'C55',
	91: 'C56',
	103: 'E38-E39',
	107: 'E48-E4B',
	118: 'EB8-EB9',
	122: 'EC8-ECB',
	129: 'F71',
	130: 'F72,F7A-F7D,F80',
	132: 'F74',
	202: '321-322,327-328,1DD0',
	214: '1DCE',
	216: '31B,F39,1D165-1D166,1D16E-1D172',
	218: '302A',
	220: `
		316-319,31C-320,323-326,329-333,339-33C,347-349,34D-34E,353-356,359-35A,591,596,59B,5A2-5A7,5AA,5C5,655-656,65C,65F,6E3,
		6EA,6ED,731,734,737-739,73B-73C,73E,742,744,746,748,7F2,859-85B,8E3,8E6,8E9,8ED-8EF,8F6,8F9-8FA,952,F18-F19,F35,F37,FC6,
		108D,193B,1A18,1A7F,1AB5-1ABA,1ABD,1B6C,1CD5-1CD9,1CDC-1CDF,1CED,1DC2,1DCA,1DCF,1DFD,1DFF,20E8,20EC-20EF,A92B-A92D,AAB4,
		FE27-FE2D,101FD,102E0,10A0D,10A3A,10AE6,1D17B-1D182,1D18A-1D18B,1E8D0-1E8D6`,
	222: '59A,5AD,1939,302D',
	224: '302E-302F',
	226: '1D16D',
	228: '5AE,18A9,302B',
	230: `
		300-314,33D-33F,342,346,34A-34C,350-352,357,35B,363-36F,483-487,592-595,597-599,59C-5A1,5A8-5A9,5AB-5AC,5AF,5C4,610-617,
		653-654,657-65B,65D-65E,6D6-6DC,6DF-6E2,6E4,6E7-6E8,6EB-6EC,730,732-733,735-736,73A,73D,73F-741,743,745,747,749-74A,
		7EB-7F1,7F3,816-819,81B-823,825-827,829-82D,8D4-8E1,8E4-8E5,8E7-8E8,8EA-8EC,8F3-8F5,8F7-8F8,8FB-8FF,951,953-954,F82-F83,
		F86-F87,135D-135F,17DD,193A,1A17,1A75-1A7C,1AB0-1AB4,1ABB-1ABC,1B6B,1B6D-1B73,1CD0-1CD2,1CDA-1CDB,1CE0,1CF4,1CF8-1CF9,
		1DC0-1DC1,1DC3-1DC9,1DCB-1DCC,1DD1-1DF5,1DFB,1DFE,20D0-20D1,20D4-20D7,20DB-20DC,20E1,20E7,20E9,20F0,2CEF-2CF1,2DE0-2DFF,
		A66F,A674-A67D,A69E-A69F,A6F0-A6F1,A8E0-A8F1,AAB0,AAB2-AAB3,AAB7-AAB8,AABE-AABF,AAC1,FE20-FE26,FE2E-FE2F,10376-1037A,
		10A0F,10A38,10AE5,11100-11102,11366-1136C,11370-11374,16B30-16B36,1D185-1D189,1D1AA-1D1AD,1D242-1D244,1E000-1E006,
		1E008-1E018,1E01B-1E021,1E023-1E024,1E026-1E02A,1E944-1E949`,
	232: '315,31A,358,302C',
	233: '35C,35F,362,1DFC',
	234: '35D-35E,360-361,1DCD',
	240: '345',
};

/** Canonically decomposed by Unicode 17, not by the reference. */
const NOT_DECOMPOSED = '105C9,105E4,11383,11385,1138E,11391,113C5,113C7-113C8,11938,16121-16128,16D68-16D6A';

const UNICODE = '17.0';
if (process.versions.unicode !== UNICODE) {
	console.error(`Expected a Node with Unicode ${UNICODE}, got ${process.versions.unicode}; run this with Node 20.20 or 24.`);
	process.exit(2);
}

const FLAGS = [REMOVED, WHITE_SPACE, CHINESE, PUNCTUATION, MARKS]; // bits 0 to 4, as in unicode_tables.h
const BLOCK = 128; // code points a block; as in unicode_tables.h

function codePoints(ranges) {
	return ranges.split(',').flatMap((range) => {
		const [first, last = first] = range
			.trim()
			.split('-')
			.map((digits) => Number.parseInt(digits, 16));
		return Array.from({ length: last - first + 1 }, (_, index) => first + index);
	});
}

const flags = new Map();
FLAGS.forEach((ranges, bit) => {
	for (const c of codePoints(ranges)) flags.set(c, (flags.get(c) ?? 0) | (1 << bit));
});
const combiningClass = new Map();
for (const [value, ranges] of Object.entries(COMBINING_CLASSES)) {
	for (const c of codePoints(ranges)) combiningClass.set(c, Number(value));
}
const notDecomposed = new Set(codePoints(NOT_DECOMPOSED));
const isSurrogate = (c) => c >= 0xd800 && c <= 0xdfff;
const isHangulSyllable = (c) => c >= 0xac00 && c <= 0xd7a3; // decomposed by arithmetic

const mappings = [];
/** Where the code points of `mapped` start in `mappings`, and how many they are; none when nothing changes. */
function mapping(c, mapped) {
	const codes = Array.from(mapped, (character) => character.codePointAt(0));
	if (codes.length === 1 && codes[0] === c) return [0, 0];
	mappings.push(...codes);
	return [mappings.length - codes.length, codes.length];
}

const records = ['0, 0, 0, 0, 0, 0'];
const recordNumbers = new Map([[records[0], 0]]);
const blocks = [];
const blockNumbers = new Map();
const index = [];
for (let start = 0; start < 0x110000; start += BLOCK) {
	const block = [];
	for (let c = start; c < start + BLOCK; ++c) {
		const character = isSurrogate(c) ? '' : String.fromCodePoint(c);
		const decomposes = character !== '' && !isHangulSyllable(c) && !notDecomposed.has(c);
		const [decomposition, decompositionLength] = decomposes ? mapping(c, character.normalize('NFD')) : [0, 0];
		const [lowercase, lowercaseLength] = character === '' ? [0, 0] : mapping(c, character.toLowerCase());
		const record = [flags.get(c) ?? 0, combiningClass.get(c) ?? 0, decompositionLength, lowercaseLength, decomposition, lowercase].join(', ');
		if (!recordNumbers.has(record)) {
			recordNumbers.set(record, records.length);
			records.push(record);
		}
		block.push(recordNumbers.get(record));
	}
	const key = block.join();
	if (!blockNumbers.has(key)) {
		blockNumbers.set(key, blocks.length);
		blocks.push(block);
	}
	index.push(blockNumbers.get(key));
}

function lines(items, separator) {
	const out = [];
	let line = ' ';
	for (const item of items) {
		if (line.length + item.length + 2 > 110) {
			out.push(line);
			line = ' ';
		}
		line += ` ${item}${separator}`;
	}
	return [...out, line].join('\n');
}

console.log(`// Written by scripts/unicode-tables.mjs; change that, not this.
#include "unicode_tables.h"

namespace distiltune::text::unicode {

// clang-format off
const uint16_t kBlocks[${index.length}] = {
${lines(index.map(String), ',')}
};

const uint16_t kRecordNumbers[${blocks.length * BLOCK}] = {
${lines(blocks.flat().map(String), ',')}
};

const Record kRecords[${records.length}] = {
${lines(
	records.map((record) => `{${record}}`),
	',',
)}
};

const char32_t kMappings[${mappings.length}] = {
${lines(
	mappings.map((c) => `0x${c.toString(16)}`),
	',',
)}
};
// clang-format on

}  // namespace distiltune::text::unicode`);
