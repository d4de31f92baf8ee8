/** What may stand in an option, and the sentence that refuses anything else. */
import { type DataInput, Dataset } from './dataset.js';
import type { EarlyStopping } from './train/best.js';
import { eventTypes } from './train/callbacks.js';
import { kwargsOf, type ScheduleKwargs } from './train/schedule.js';

/** What may stand in an option, and what the command line says of it. */
export interface OptionSpec {
	readonly kind:
		| 'integer'
		| 'number'
		| 'boolean'
		| 'text'
		| 'choice'
		| 'choiceOrInteger'
		| 'list'
		| 'data'
		| 'dataOrSplit'
		| 'weights'
		| 'kwargs'
		| 'stopping'
		| 'callbacks'
		| 'function';
	readonly default?: string | number | boolean | Readonly<Record<string, number>>;
	readonly min?: number;
	readonly max?: number;
	/** Whether `min` and `max` themselves are refused. */
	readonly open?: 'min' | 'max';
	readonly choices?: readonly string[];
	readonly help: string;
}

export type ValueSpec = Omit<OptionSpec, 'help'>;

/** The sentence where `value` may not stand in the option called `name`. */
export function faultOf(spec: ValueSpec, value: unknown, name: string): string | undefined {
	return accepts(spec, value) ? undefined : `Expected \`${name}\` to be ${expectation(spec)}, got ${show(value)}`;
}

function accepts(spec: ValueSpec, value: unknown): boolean {
	switch (spec.kind) {
		case 'integer':
			return Number.isSafeInteger(value) && inRange(spec, value as number);
		case 'number':
			return Number.isFinite(value) && inRange(spec, value as number);
		case 'boolean':
			return typeof value === 'boolean';
		case 'text':
			return typeof value === 'string' && value !== '';
		case 'choice':
			return spec.choices?.includes(value as string) ?? false;
		case 'choiceOrInteger':
			return spec.choices?.includes(value as string) || (Number.isSafeInteger(value) && inRange(spec, value as number));
		case 'list':
			return Array.isArray(value) && value.length >= 2 && value.every(isLabel) && new Set(value.map(String)).size === value.length;
		case 'data':
			return isData(value);
		case 'dataOrSplit':
			return isData(value) || isSplit(value);
		case 'weights':
			return spec.choices?.includes(value as string) || isWeights(value);
		case 'kwargs':
			return isKwargs(value);
		case 'stopping':
			return isStopping(value);
		case 'callbacks':
			return Array.isArray(value) && value.every(isCallback);
		case 'function':
			return typeof value === 'function';
	}
}

function inRange({ min, max, open }: ValueSpec, value: number): boolean {
	if (min !== undefined && (open === 'min' ? value <= min : value < min)) return false;
	return max === undefined || (open === 'max' ? value < max : value <= max);
}

function expectation(spec: ValueSpec): string {
	const { min, max, open } = spec;
	const kind = spec.kind === 'integer' ? 'a whole number' : 'a number';
	switch (spec.kind) {
		case 'integer':
		case 'number': {
			const low = open === 'min' ? `above ${min}` : `from ${min}`;
			if (max === undefined) return `${kind} ${open === 'min' ? low : `${low} up`}`;
			return `${kind} ${low}${open === 'min' ? ' and at most' : ' to'}${open === 'max' ? ' below' : ''} ${max}`;
		}
		case 'boolean':
			return 'true or false';
		case 'text':
			return 'a text that is not empty';
		case 'choice':
			return `one of ${spec.choices?.join(', ')}`;
		case 'choiceOrInteger':
			return `${spec.choices?.join(', ')} or a whole number from ${min} up`;
		case 'list':
			return 'a list of at least two labels, each once';
		case 'data':
			return 'a file, a Dataset or rows';
		case 'dataOrSplit':
			return 'a file, a Dataset, rows, or { split } with a share between 0 and 1';
		case 'weights':
			return `${spec.choices?.map((choice) => `'${choice}', `).join('')}or a number from 0 up for each label, not all of them 0`;
		case 'kwargs':
			return `numbers from 0 up (timescale: above 0) under the names ${kwargNames.join(', ')}`;
		case 'function':
			return 'a function';
		case 'stopping':
			return '{ patience } from 1 up, with a minDelta from 0 up if wanted';
		case 'callbacks':
			return `a list of objects whose methods are called ${[...eventTypes].join(', ')}`;
	}
}

const kwargNames: readonly string[] = [...new Set(Object.values(kwargsOf).flat())];
const isLabel = (value: unknown): boolean => ['string', 'number', 'boolean'].includes(typeof value);

function isData(value: unknown): value is DataInput {
	if (typeof value === 'string') return value !== '';
	if (value instanceof URL || value instanceof Dataset) return true;
	return typeof value === 'object' && value !== null && (Symbol.iterator in value || Symbol.asyncIterator in value);
}

/** Numbers in a list or under names. */
function isWeights(value: unknown): value is readonly number[] | Readonly<Record<string, number>> {
	if (typeof value !== 'object' || value === null) return false;
	const numbers: unknown[] = Object.values(value);
	return numbers.every((number) => Number.isFinite(number) && (number as number) >= 0) && numbers.some((number) => number !== 0);
}

export function isKwargs(value: unknown): value is ScheduleKwargs {
	if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
	return Object.entries(value).every(([name, number]) => {
		if (!kwargNames.includes(name) || !Number.isFinite(number)) return false;
		return name === 'timescale' ? number > 0 : number >= 0;
	});
}

function isStopping(value: unknown): value is EarlyStopping {
	if (typeof value !== 'object' || value === null) return false;
	const { patience, minDelta = 0, ...others } = value as Record<string, unknown>;
	const gain = typeof minDelta === 'number' && Number.isFinite(minDelta) && minDelta >= 0;
	return gain && Number.isSafeInteger(patience) && (patience as number) >= 1 && Object.keys(others).length === 0;
}

/** Any object with a method; one with a method of another name has it misspelt. */
function isCallback(value: unknown): boolean {
	if (typeof value !== 'object' || value === null) return false;
	const methods = Object.entries(value).filter(([, member]) => typeof member === 'function');
	return (
		methods.every(([name]) => eventTypes.has(name)) && [...eventTypes].some((name) => typeof (value as Record<string, unknown>)[name] === 'function')
	);
}

/** Whether `value` asks for a share of the training rows. */
export function isSplit(value: unknown): value is { readonly split: number } {
	if (typeof value !== 'object' || value === null || !('split' in value)) return false;
	return typeof value.split === 'number' && value.split > 0 && value.split < 1 && Object.keys(value).length === 1;
}

/** The candidate with the fewest edits, if at most a third of the letters differ. */
export function nearestName(name: string, candidates: readonly string[]): string | undefined {
	const ranked = candidates.map((candidate) => ({ candidate, edits: editDistance(name.toLowerCase(), candidate.toLowerCase()) }));
	const best = ranked.sort((a, b) => a.edits - b.edits)[0];
	return best !== undefined && best.edits <= Math.max(2, Math.floor(name.length / 3)) ? best.candidate : undefined;
}

function editDistance(a: string, b: string): number {
	let previous = Array.from({ length: b.length + 1 }, (_, column) => column);
	for (let row = 1; row <= a.length; row++) {
		const current = [row];
		for (let column = 1; column <= b.length; column++) {
			const replaced = (previous[column - 1] ?? 0) + (a[row - 1] === b[column - 1] ? 0 : 1);
			current.push(Math.min(replaced, (previous[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1));
		}
		previous = current;
	}
	return previous[b.length] ?? 0;
}

/** A value as refusals show it. */
export function show(value: unknown): string {
	if (typeof value === 'string') return JSON.stringify(value);
	if (typeof value === 'object' && value !== null) return JSON.stringify(value) ?? 'an object';
	return String(value);
}
