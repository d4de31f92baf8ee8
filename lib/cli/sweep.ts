/** distiltune sweep */
import type { OptionSpec } from '../option-check.js';
import { optionTable } from '../options.js';
import { flagOf } from '../report/command.js';
import { planSweep, type SweepConfig } from '../sweep/config.js';
import type { Goal } from '../sweep/metric.js';
import type { Range, Space } from '../sweep/space.js';
import { type SweepEvent, sweep } from '../sweep/sweep.js';
import { sweepTable, valueText } from '../sweep/table.js';
import { asNumber, nameOf, trainingConfig, typedValue } from './flags.js';
import { interruptible } from './interrupt.js';
import type { Output } from './output.js';
import { Progress } from './progress.js';

export interface SweepFlags {
	readonly grid?: readonly string[];
	readonly range?: readonly string[];
	readonly random?: string;
	readonly sweepSeed?: string;
	readonly metric?: string;
	readonly goal?: string;
	readonly medianStop: boolean;
}

export async function sweepVerb(flags: SweepFlags & Readonly<Record<string, unknown>>, leftOver: readonly string[], output: Output): Promise<void> {
	const { grid = [], range = [], random, sweepSeed, metric, goal, medianStop, ...training } = flags;
	const { config: base, remark } = await trainingConfig(training, leftOver);
	if (remark !== undefined) output.say(remark);
	const { space, problems } = spaceOf(grid, range);
	const config: SweepConfig = {
		base,
		space,
		...{ random: asNumber(random) as number | undefined, sweepSeed: asNumber(sweepSeed) as number | undefined },
		...{ metric, goal: goal as Goal | undefined, medianStop },
	};
	planSweep(config, flagOf, problems);
	const follower = new Follower(output);
	const { record, verdict, outputDir, best } = await interruptible(
		(signal) => sweep(config, { signal, onEvent: (event) => follower.show(event) }),
		() => output.say('Stopping after this step; the same command goes on from there. Once more to leave at once.'),
	).finally(() => follower.end());
	const result = {
		type: 'result',
		...{ metric: verdict.metric, outputDir, best: { folder: best, run: verdict.ranking[0]?.run.number, options: verdict.ranking[0]?.run.options } },
		ranking: verdict.ranking.map(({ run, value, interval, p }) => ({ run: run.number, options: run.options, value, interval, p })),
		runs: record.runs.map(({ right: _, ...run }) => run),
		notes: verdict.notes,
	};
	output.result(result, sweepTable(record));
	output.say(`The best model is in ${best}, the picture in ${outputDir}/sweep.svg`);
}

/** What --grid and --range ask for; the sentences about words that cannot be read. */
export function spaceOf(grid: readonly string[], range: readonly string[]): { space: Space; problems: string[] } {
	const space: Record<string, Space[string]> = {};
	const problems: string[] = [];
	const add = (flag: string, word: string, example: string, read: (spec: OptionSpec | undefined, value: string) => Space[string] | undefined) => {
		const at = word.indexOf('=');
		const name = nameOf(word.slice(0, Math.max(0, at)).replaceAll('_', '-'));
		const values = at < 1 ? undefined : read((optionTable as Readonly<Record<string, OptionSpec>>)[name], word.slice(at + 1));
		if (values === undefined) problems.push(`Expected \`${flag}\` to be like ${example}, got ${JSON.stringify(word)}`);
		else if (Object.hasOwn(space, name)) problems.push(`Expected \`${flagOf(name)}\` to be swept once, got it twice`);
		else space[name] = values;
	};
	for (const word of grid) add('--grid', word, 'learningRate=1e-5,2e-5', listOf);
	for (const word of range) add('--range', word, 'learningRate=1e-5..1e-4', (_, value) => rangeOf(value));
	return { space, problems };
}

/** Values are parted by commas, or by semicolons where a value may hold commas itself. */
function listOf(spec: OptionSpec | undefined, words: string): readonly unknown[] {
	const parted = ['list', 'weights', 'kwargs'].includes(spec?.kind ?? '') ? ';' : ',';
	return words.split(parted).map((word) => (spec?.kind === 'boolean' && /^(true|false)$/.test(word) ? word === 'true' : typedValue(spec, word)));
}

const distributions: Readonly<Record<string, Range['distribution']>> = { log: 'log_uniform', uniform: 'uniform', int: 'int_uniform' };

/**
 * LOW..HIGH, with :log, :uniform or :int after it. Without: whole numbers where both ends are written as such (as Weights & Biases infers it), else
 * every factor of ten alike, from 0 every number alike.
 */
function rangeOf(word: string): Range | undefined {
	const [, from = '', to = '', wanted] = /^(.+?)\.\.(.+?)(?::(log|uniform|int))?$/.exec(word) ?? [];
	const [low, high] = [asNumber(from), asNumber(to)];
	if (typeof low !== 'number' || typeof high !== 'number') return undefined;
	const whole = [from, to].every((end) => /^-?\d+$/.test(end));
	return { low, high, distribution: distributions[wanted ?? ''] ?? (whole ? 'int_uniform' : low > 0 ? 'log_uniform' : 'uniform') };
}

/** A sweep as people follow it: a line a run, and each run as it is followed alone. */
class Follower {
	readonly #output: Output;
	#progress: Progress;
	#runs = 0;

	constructor(output: Output) {
		this.#output = output;
		this.#progress = new Progress(output);
	}

	show(event: SweepEvent): void {
		if (this.#output.json) this.#output.emit(event);
		if (event.type === 'sweepBegin') {
			this.#runs = event.runs;
			const ended = event.ended === 0 ? '' : `, ${event.ended} of them done before`;
			this.#output.say(`Sweep of ${event.runs} runs${ended}; results in ${event.outputDir}`);
		} else if (event.type === 'runBegin') {
			this.#progress = new Progress(this.#output);
			const options = Object.entries(event.options).map(([name, value]) => `${name} ${valueText(value)}`);
			this.#output.say(`\nRun ${event.run} of ${this.#runs}: ${options.join(', ')}`);
		} else if (event.type === 'runEnd') {
			this.#progress.end();
			if (event.status !== 'finished')
				this.#output.say(`Run ${event.run} ${event.status === 'failed' ? 'failed' : 'was stopped by the median rule'}`);
		} else if (event.type !== 'save') {
			this.#progress.show(event);
		}
	}

	end(): void {
		this.#progress.end();
	}
}
