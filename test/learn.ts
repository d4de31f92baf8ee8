import type { Row } from '../lib/data/row.js';

// Rows that the tiny model's last layer can be fitted to.

const words = { calm: 'I feel fine here', worried: 'no one is out there', alarmed: 'what a dark day!' };
const labels = Object.keys(words) as (keyof typeof words)[];

/** `count` rows, the labels in turn. */
export const rowsToLearn = (count: number): Row[] =>
	Array.from({ length: count }, (_, i) => {
		const label = labels[i % 3] as keyof typeof words;
		return { text: `${words[label]} ${'a b c d e '.slice(0, (i * 7) % 11)}${i}`, label };
	});
