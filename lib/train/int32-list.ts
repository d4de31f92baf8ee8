const BLOCK = 2 ** 16;

/** Whole numbers as they come: 4 bytes each, in blocks, so that none is copied before the end. */
export class Int32List {
	readonly #blocks: Int32Array[] = [];
	#length = 0;

	get length(): number {
		return this.#length;
	}

	push(value: number): void {
		const place = this.#length++ % BLOCK;
		if (place === 0) this.#blocks.push(new Int32Array(BLOCK));
		(this.#blocks.at(-1) as Int32Array)[place] = value;
	}

	at(index: number): number {
		return this.#blocks[Math.floor(index / BLOCK)]?.[index % BLOCK] as number;
	}

	/** A copy of all there are. */
	values(): Int32Array {
		const values = new Int32Array(this.#length);
		for (const [index, block] of this.#blocks.entries()) values.set(block.subarray(0, this.#length - index * BLOCK), index * BLOCK);
		return values;
	}
}
