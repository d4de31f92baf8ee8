/**
 * A data set looked through, alone or against another. Rows are streamed twice: once to count and to remember 85 bytes of each, once
 * for the texts to show and for the words that may give a label away. Sorting takes 8 bytes a row more; nothing else grows with the
 * data but the labels and up to a million words.
 */

import { DataError } from '../../errors.js';
import { sortedLabels } from '../labels.js';
import { findingsOf, rowsShown } from './findings.js';
import { GiveawayTally } from './giveaway.js';
import { LabelIndex } from './labels.js';
import type { TokenCounter } from './lengths.js';
import type { CheckedData, DataReport, Finding } from './report.js';
import { Rows } from './rows.js';
import { findSame } from './same.js';
import { contentOf, type Side, type Walkable, walkSide } from './side.js';
import type { Example } from './tally.js';
import { excerpt, inWords, normalised, wordsOf } from './text.js';

export interface Checked {
	readonly report: DataReport;
	/** With the marks --fix goes by. */
	readonly rows: Rows;
	readonly sides: readonly Side[];
}

/** Throws where data cannot be read at all, or has no row that can. */
export async function checkData(data: Walkable, against: Walkable | undefined, counter: TokenCounter): Promise<Checked> {
	const rows = new Rows();
	const labels = new LabelIndex();
	const first = await walkSide(data, rows, labels, counter);
	const sides = against === undefined ? [first] : [first, await walkSide(against, rows, labels, counter)];
	const same = findSame(rows, first.end);

	const words = new GiveawayTally(first.words.candidates());
	const wanted = rowsShown(same);
	const texts = new Map<number, Pick<Example, 'text' | 'file'>>();
	for (const side of sides) {
		const wantedHere = [...wanted].filter((row) => row >= side.first && row < side.end).length;
		const counting = side === first && !words.isEmpty;
		if (wantedHere === 0 && !counting) continue;
		for await (const { row, line, text, file } of textsOf(side)) {
			if (wanted.has(row)) texts.set(row, { text: excerpt(text), file });
			const set = rows.label.at(row);
			if (counting) words.add(new Set(wordsOf(normalised(text))), labels.sets[set] ?? [], line, text, labels.nameOf(set));
		}
	}
	const giveaways = words.found(
		Array.from(labels.names, (_, label) => first.labelRows[label] ?? 0),
		first.end,
	);

	const findings = findingsOf({ rows, labels, sides, same, giveaways, texts });
	const [checked, checkedAgainst] = sides.map((side) => describe(side, labels, counter));
	return { report: { verdict: verdictOf(findings), data: checked as CheckedData, against: checkedAgainst, findings }, rows, sides };
}

/** The texts of a second walk, by the numbers the first gave them. */
async function* textsOf({ data, first, end, endedBy }: Side): AsyncGenerator<{ row: number; line: number; text: string; file: string | undefined }> {
	let row = first;
	try {
		for await (const each of data.walk({ onNotUtf8: () => {} })) {
			const read = each instanceof DataError ? each : contentOf(each, data.origin);
			if (read instanceof DataError) continue;
			yield { row, line: read.line, text: read.text, file: read.file };
			row += 1;
			if (row === end) return; // what has been added since was not checked
		}
	} catch (error) {
		// What ended the first walk may end the second a few rows earlier: a parser throws away what it has read ahead.
		if (!(error instanceof DataError) || endedBy === undefined) throw error;
	}
}

function describe({ data, first, end, labelRows, lengths }: Side, labels: LabelIndex, counter: TokenCounter): CheckedData {
	const counts = new Map(labels.names.map((name, label) => [name, labelRows[label] ?? 0]));
	const names = sortedLabels(counts.keys()).filter((name) => (counts.get(name) ?? 0) > 0);
	return {
		source: data.origin.name,
		unit: data.origin.unit,
		rows: end - first,
		labels: Object.fromEntries(names.map((name) => [name, counts.get(name) ?? 0])),
		lengths: lengths.lengths(counter.name),
	};
}

function verdictOf(findings: readonly Finding[]): string {
	const count = (severity: Finding['severity']) => findings.filter((finding) => finding.severity === severity).length;
	const things = (number: number) => (number === 1 ? 'one thing' : `${inWords(number)} things`);
	const [errors, warnings] = [count('error'), count('warning')];
	if (errors > 0) return `Not ready: ${things(errors)} to mend before a training${warnings === 0 ? '' : `, ${things(warnings)} to look at`}.`;
	if (warnings > 0) return `Ready to train on, with ${things(warnings)} to look at first.`;
	return 'Ready to train on: nothing was found that stands in the way.';
}
