/** distiltune predict */
import { statSync } from 'node:fs';
import { resolve } from 'node:path';

import type { Classifier } from '../classifier.js';
import type { PredictOptions } from '../classify/options.js';
import { Queue } from '../classify/queue.js';
import { ConfigError, DataError } from '../errors.js';
import type { ProblemType } from '../model/config.js';
import { type AnswerFile, openAnswerFile, standardOutput } from './answer-file.js';
import { type AnswerLines, jsonLines, tableLines, wordLines } from './answer-lines.js';
import { interruptible } from './interrupt.js';
import { type LoadFlags, loadClassifier } from './load.js';
import type { Output } from './output.js';
import { duration, StatusLine } from './status-line.js';
import { type TextFlags, textsOf } from './texts.js';

export interface PredictFlags extends TextFlags, LoadFlags {
	readonly output?: string;
	readonly strict?: boolean;
	readonly topK?: number;
	readonly threshold?: number;
	readonly maxLength?: number;
	readonly stride?: number;
	readonly aggregate?: 'mean' | 'max';
}

/** More faults of rows than anyone reads; each stands in the output. */
const FAULTS_SHOWN = 20;

/**
 * One answer a text, in order, in constant memory. A row that cannot be read is told of and leaves its error in its place, or with --strict
 * ends it all. A file of answers gets its name when it is whole; where that is not to be, by an interrupt or a fault, the answers so far
 * go to FILE.partial, except with --strict, which leaves nothing.
 */
export async function predictVerb(folder: string, texts: readonly string[], flags: PredictFlags, output: Output): Promise<void> {
	const follower = new Follower(flags, output);
	const wanted = textsOf(texts, flags, `distiltune predict ${folder} "I feel fine"`, (count) => follower.read(count));
	const options = optionsOf(flags);
	requireOtherFile(flags);
	const classifier = await loadClassifier(folder, flags);
	try {
		const lines = linesFor(classifier, flags, output);
		const file = flags.output === undefined ? standardOutput : await openAnswerFile(flags.output);
		await interruptible(
			(signal) => answerAll(wanted, { classifier, options: { ...options, signal }, lines, file, follower, strict: flags.strict === true }),
			() => follower.say('Stopping after what is answered; once more to leave at once.'),
		).finally(() => follower.end());
	} finally {
		await classifier.dispose();
		if (flags.input === '-') process.stdin.destroy(); // one that says nothing would hold up the end
	}
}

interface Work {
	readonly classifier: Classifier<ProblemType>;
	readonly options: PredictOptions;
	readonly lines: AnswerLines;
	readonly file: AnswerFile;
	readonly follower: Follower;
	readonly strict: boolean;
}

async function answerAll(wanted: AsyncIterable<string | DataError> | Iterable<string>, work: Work): Promise<void> {
	const { classifier, options, lines, file, follower, strict } = work;
	const asked = new Queue<string | DataError>();
	async function* texts(): AsyncGenerator<string> {
		for await (const text of wanted) {
			if (text instanceof DataError && strict) throw text;
			asked.push(text);
			yield typeof text === 'string' ? text : ''; // a text of no words keeps the place of a row that has none
		}
	}
	try {
		if (lines.header !== '') await file.write(lines.header);
		for await (const answer of classifier.stream(texts(), options)) {
			const text = asked.take() as string | DataError;
			follower.answered(text);
			await file.write(text instanceof DataError ? lines.refusal(text) : lines.answer(answer, text));
		}
		await file.finish();
	} catch (error) {
		const kept = strict ? undefined : await file.keep();
		if (kept !== undefined) follower.say(`The ${follower.rows} answers so far are in ${kept}`);
		throw error;
	} finally {
		await file.close();
	}
}

function optionsOf({ topK, threshold, maxLength, stride, aggregate }: PredictFlags): PredictOptions {
	if (aggregate !== undefined && stride === undefined) throw new ConfigError('OPTIONS_INVALID', 'Expected --stride beside --aggregate, got none');
	return {
		...(topK === undefined ? {} : { topK }),
		...(threshold === undefined ? {} : { threshold }),
		...(maxLength === undefined ? {} : { maxLength }),
		...(stride === undefined ? {} : { windows: { stride, ...(aggregate === undefined ? {} : { aggregate }) } }),
	};
}

function requireOtherFile({ input, output }: PredictFlags): void {
	if (input === undefined || output === undefined || resolve(input) !== resolve(output)) return;
	throw new ConfigError('OPTIONS_INVALID', `Expected --output to be another file than --input, got ${output} twice`);
}

function linesFor({ problemType, labels }: Classifier<ProblemType>, flags: PredictFlags, output: Output): AnswerLines {
	if (flags.output === undefined) return output.json ? jsonLines : wordLines;
	const delimiter = { csv: ',', tsv: '\t' } as const;
	const ending = /\.(csv|tsv)$/i.exec(flags.output)?.[1]?.toLowerCase() as keyof typeof delimiter | undefined;
	return ending === undefined ? jsonLines : tableLines(problemType, labels, flags.topK, delimiter[ending]);
}

/** What people are told meanwhile: rate and time left after two seconds, rows that could not be read. */
class Follower {
	readonly #output: Output;
	readonly #status: StatusLine;
	readonly #startedMs = performance.now();
	readonly #bytes: number | undefined;
	/** Whether answers and progress do not go to the same terminal. */
	readonly #shows: boolean;
	#bytesRead = 0;
	#rows = 0;
	#faults = 0;

	constructor({ input, output: file }: PredictFlags, output: Output) {
		this.#output = output;
		this.#status = new StatusLine(output, this.#startedMs);
		this.#shows = input !== undefined && (file !== undefined || process.stdout.isTTY !== true);
		this.#bytes = input === undefined || input === '-' ? undefined : statSync(input, { throwIfNoEntry: false })?.size;
	}

	get rows(): number {
		return this.#rows;
	}

	read(count: number): void {
		this.#bytesRead += count;
	}

	answered(text: string | DataError): void {
		this.#rows += 1;
		if (text instanceof DataError) this.#fault(text);
		if (this.#shows && this.#status.isDue) this.#status.draw(this.#line());
	}

	say(line: string): void {
		this.#status.say(line);
	}

	end(): void {
		if (this.#shows) this.#status.clear();
		if (this.#faults > 0) this.#output.say(`warning: ${this.#faults} of ${this.#rows} rows could not be read; --strict ends at the first`);
	}

	#fault({ message }: DataError): void {
		this.#faults += 1;
		if (this.#faults <= FAULTS_SHOWN) this.say(`warning: ${message}`);
		if (this.#faults === FAULTS_SHOWN) this.say('warning: further rows that cannot be read are only counted; each has its error in the output');
	}

	#line(): string {
		const seconds = (performance.now() - this.#startedMs) / 1000;
		const rate = `${this.#rows} rows  ${(this.#rows / seconds).toFixed(0)} rows/s`;
		if (this.#bytes === undefined || this.#bytesRead === 0) return rate;
		const share = Math.min(1, this.#bytesRead / this.#bytes);
		return `${rate}  ${(100 * share).toFixed(0)}%  ${duration((seconds * (1 - share)) / share)} left`;
	}
}
