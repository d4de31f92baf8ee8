/** Which rows have the same text, and which nearly the same. Linear but for sorting: a row is compared with a few others, never with all. */
import { groupBy } from './group.js';
import { Mark, type Rows } from './rows.js';
import { areAlike, SIGNATURE_BYTES } from './signature.js';
import { LINES_SHOWN } from './tally.js';

export interface Pair {
	readonly row: number;
	/** The row it is the same as, or like. */
	readonly other: number;
}

/** Pairs counted, and those with the lowest numbers. */
export class Pairs {
	count = 0;
	readonly shown: Pair[] = [];

	add(row: number, other: number): void {
		this.count += 1;
		if (this.shown.length === LINES_SHOWN && row > (this.shown.at(-1) as Pair).row) return;
		const place = this.shown.findIndex((pair) => pair.row > row);
		this.shown.splice(place === -1 ? this.shown.length : place, 0, { row, other });
		this.shown.length = Math.min(this.shown.length, LINES_SHOWN);
	}
}

/** What was found in one data set. */
export class SameWithin {
	/** Rows whose text an earlier row has, case, Unicode form and spacing aside. */
	readonly duplicates = new Pairs();
	/** Those of them that are the same to the letter, label and all. */
	copies = 0;
	/** Rows whose text has several labels, each with a row of another label. */
	readonly conflicts = new Pairs();
	readonly alike = new Pairs();
}

export class Same {
	readonly within: readonly [SameWithin, SameWithin] = [new SameWithin(), new SameWithin()];
	/** Rows of the first data whose text is in the second too. */
	readonly leaks = new Pairs();
	/** Rows of the second data whose text is in the first too, and how many of them have a label they have nowhere there. */
	leaked = 0;
	leakedWithOtherLabel = 0;
	/** Rows of the second data that are like one of the first. */
	readonly likeLeaks = new Pairs();
}

/** Marks rows and says what was found. `second` is the number of the second data's first row. */
export function findSame(rows: Rows, second: number): Same {
	const same = new Same();
	for (const run of rows.runs((row) => (rows.has(row, Mark.Empty) ? undefined : rows.hash.at(row)))) {
		// 27 bits of a hash brought them together; 53 must agree.
		const groups = groupBy(run, (row) => rows.hash.at(row) * 2 ** 21 + (rows.hash2.at(row) % 2 ** 21));
		for (const group of groups.values()) if (group.length > 1) lookAtGroup(rows, second, group, same);
	}
	findAlike(rows, second, same);
	return same;
}

function lookAtGroup(rows: Rows, second: number, group: readonly number[], same: Same): void {
	for (const row of group.slice(1)) rows.mark(row, Mark.Repeated);
	const sides = [group.filter((row) => row < second), group.filter((row) => row >= second)] as const;
	for (const [side, within] of same.within.entries()) lookWithin(rows, sides[side] as number[], within);
	const [first, other] = [sides[0][0], sides[1][0]];
	if (first === undefined || other === undefined) return;
	for (const row of sides[0]) {
		rows.mark(row, Mark.Leaked);
		same.leaks.add(row, other);
	}
	const labels = new Set(sides[0].map((row) => rows.label.at(row)));
	same.leaked += sides[1].length;
	same.leakedWithOtherLabel += sides[1].filter((row) => !labels.has(rows.label.at(row))).length;
}

/** `group`: rows of one data set with one text, in order. */
function lookWithin(rows: Rows, group: readonly number[], within: SameWithin): void {
	const [first] = group;
	if (first === undefined) return;
	const seen = new Set([rows.exact.at(first)]);
	for (const row of group.slice(1)) {
		within.duplicates.add(row, first);
		if (seen.has(rows.exact.at(row))) {
			rows.mark(row, Mark.Copy);
			within.copies += 1;
		}
		seen.add(rows.exact.at(row));
	}
	const different = group.find((row) => rows.label.at(row) !== rows.label.at(first));
	if (different === undefined) return;
	for (const row of group) within.conflicts.add(row, rows.label.at(row) === rows.label.at(first) ? different : first);
}

const BANDS = 16;
const BAND_BYTES = SIGNATURE_BYTES / BANDS;
/** Rows of a band that others are compared with: the first that are unlike each other. */
const MAX_LEADERS = 8;

/**
 * A text is looked at once. Candidates are texts that share one of 16 bands of their signatures, as two with four fifths of their
 * windows in common do in 9,998 of 10,000 cases.
 */
function findAlike(rows: Rows, second: number, same: Same): void {
	for (let band = 0; band < BANDS; band++) {
		const keyOf = (row: number) => {
			if (rows.has(row, Mark.Empty | Mark.Unsigned | Mark.Repeated)) return undefined;
			const bytes = rows.signature.places(row).subarray(band * BAND_BYTES, (band + 1) * BAND_BYTES);
			return bytes.reduce((key, byte) => key * 256 + byte, 0);
		};
		for (const run of rows.runs(keyOf)) {
			const leaders: [number[], number[]] = [[], []];
			for (const row of run) {
				const side = row < second ? 0 : 1;
				const own = leaders[side];
				if (side === 1) findLike(rows, row, leaders[0], Mark.AlikeOther, same.likeLeaks);
				const isLike = findLike(rows, row, own, Mark.Alike, same.within[side].alike);
				if (!isLike && own.length < MAX_LEADERS) own.push(row);
			}
		}
	}
}

/** Whether the row is like one of these, now or in an earlier band. */
function findLike(rows: Rows, row: number, leaders: readonly number[], mark: number, pairs: Pairs): boolean {
	if (rows.has(row, mark)) return true;
	const signature = rows.signature.places(row);
	const like = leaders.find((leader) => areAlike(rows.signature.places(leader), signature));
	if (like === undefined) return false;
	rows.mark(row, mark);
	pairs.add(row, like);
	return true;
}
