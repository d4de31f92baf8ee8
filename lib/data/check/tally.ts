/** Rows that share a finding, counted; some of them named. */
import { excerpt } from './text.js';

export const LINES_SHOWN = 20;
export const EXAMPLES_SHOWN = 3;

/** A row as a finding shows it. */
export interface Example {
	readonly line: number;
	/** Beginning of its text, or why it has none. */
	readonly text: string;
	readonly label?: string | undefined;
	/** Where the row is a file of its own. */
	readonly file?: string | undefined;
	/** The row it is the same as, or like. */
	readonly other?: Example & { readonly source: string };
}

export class Tally {
	count = 0;
	readonly lines: number[] = [];
	readonly examples: Example[] = [];

	/** `text` is asked for its beginning where the row is shown. */
	add(line: number, text: string | (() => string), more: Pick<Example, 'label' | 'file'> = {}): void {
		this.count += 1;
		if (this.lines.length < LINES_SHOWN) this.lines.push(line);
		if (this.examples.length < EXAMPLES_SHOWN) this.examples.push({ line, text: excerpt(typeof text === 'string' ? text : text()), ...more });
	}
}
